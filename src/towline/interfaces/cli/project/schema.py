"""`tow project schema`."""

from pathlib import Path
from typing import Annotated

from towline.interfaces.cli.display import print_json, say
from towline.interfaces.cli.parameters import Option
from towline.operations.job_outputs import write_json
from towline.operations.projects import project_schema


def command(
    path: Annotated[Path | None, Option("--path", "-p", help="File to write.", metavar="FILE")] = None,
) -> None:
    """The JSON schema of project files, with which editors complete and check them."""
    if path is None:
        print_json(project_schema())
        return
    write_json(project_schema(), path)
    say(f"written to {path}")
