"""`tow batch delete`."""

from typing import Annotated

import click

from towline.interfaces.cli.batch.options import States, Strings, Workers
from towline.interfaces.cli.display import plural, print_json, write_out
from towline.interfaces.cli.options import Json, Yes
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.selection import confirm
from towline.interfaces.cli.session import open_session
from towline.operations.batches import BatchState, batch_filter, count_batches, delete_batches


def command(
    context: click.Context,
    state: States = None,
    process_id: Annotated[
        Strings, Option("--process-id", "-pid", help="Id of the scheduler; may be given several times.", metavar="ID")
    ] = None,
    batch_uid: Annotated[
        Strings, Option("--batch-uid", "-bid", help="Batch uid; may be given several times.", metavar="UID")
    ] = None,
    worker: Workers = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Forget records of allocations, those that have finished if no state is given. Nothing is cancelled."""
    with open_session(context) as opened:
        wanted = batch_filter(
            opened,
            process_ids=process_id or (),
            batch_uids=batch_uid or (),
            workers=worker or (),
            states=state or (BatchState.FINISHED,),
        )
        number = count_batches(opened, wanted)
        if number:
            confirm(f"Forget the records of {plural(number, 'allocation')}?", yes=yes)
            number = delete_batches(opened, wanted)
    if as_json:
        print_json({"deleted": number})
    else:
        write_out(f"the records of {plural(number, 'allocation')} deleted\n")
