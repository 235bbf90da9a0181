"""`tow project generate`."""

from typing import Annotated

import typer

from towline.interfaces.cli.display import write_out
from towline.operations.projects import FileFormat, generate_project


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new project.")],
    file_format: Annotated[
        FileFormat, typer.Option("--format", "-f", help="Format of the file; YAML has comments.")
    ] = FileFormat.YAML,
    full: Annotated[bool, typer.Option("--full", help="Write every key, with its default value.")] = False,
) -> None:
    """Write the file of a new project."""
    path = generate_project(name, file_format, full=full)
    write_out(f"Wrote {path}\nNext, type: tow -p {name} project check\n")
