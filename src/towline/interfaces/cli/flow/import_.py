"""`tow flow import`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.display import plural, print_json, suggest, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.session import open_session
from towline.operations.flow_archives import import_flow


def command(
    context: click.Context,
    path: Annotated[Path, Argument(metavar="PATH", help="What `tow flow export` wrote.")],
    worker: Annotated[
        str | None, Option("--worker", "-wk", help="For jobs of workers that this project does not have.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put an exported flow into this project, with its identity. What had not finished is held: tow flow resume."""
    with open_session(context) as opened, Bar("import files") as bar:
        done = import_flow(opened, path, worker=worker, progress=bar.show)
    if as_json:
        print_json(asdict(done))
        return
    parts = [plural(len(done.db_ids), "job"), plural(done.outputs, "output"), plural(done.files, "file")]
    write_out(f"flow {done.flow_id}: {', '.join(parts)} imported\n")
    if done.absent_parents:
        suggest(
            f"it depends on {plural(len(done.absent_parents), 'unfinished job')} of flows that are not here: "
            f"{', '.join(done.absent_parents[:3])}. Import these flows too before it goes on"
        )
