"""`tow project generate`."""

from typing import Annotated

from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.parameters import Argument, Option
from towline.operations.projects import FileFormat, generate_project


def command(
    name: Annotated[str, Argument(metavar="NAME", help="Name of the new project.")],
    file_format: Annotated[
        FileFormat, Option("--format", "-f", help="Format of the file; YAML has comments.")
    ] = FileFormat.YAML,
    full: Annotated[bool, Option("--full", help="Write every key, with its default value.")] = False,
) -> None:
    """Write the file of a new project."""
    path = generate_project(name, file_format, full=full)
    write_out(f"Wrote {path}\nNext, type: tow -p {name} project check\n")
