"""`tow worker logout`."""

from typing import Annotated

import click

from towline.interfaces.cli.completions import complete_worker
from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.session import open_session
from towline.operations.worker_overview import log_out


def command(
    context: click.Context,
    name: Annotated[str, Argument(metavar="NAME", help="The worker.", autocompletion=complete_worker)],
) -> None:
    """End the connection to a worker, also one that was made by `tow worker login`; jobs there go on running."""
    with open_session(context) as opened:
        write_out(f"{log_out(opened, name)}\n")
