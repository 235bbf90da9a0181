"""`tow project list`."""

from typing import Annotated

from towline.interfaces.cli.display import plural, print_json, say, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.tables import Column, print_table
from towline.operations.projects import ProjectSummary, list_projects

_COLUMNS = [
    Column("", lambda project: "*" if project.is_chosen else ""),
    Column("Name", lambda project: project.name),
    Column("Workers", lambda project: ", ".join(project.workers)),
    Column("Folder", lambda project: str(project.base_dir)),
    Column("File", lambda project: "built in" if project.file is None else str(project.file)),
]


def command(
    warn: Annotated[bool, Option("--warn", "-w", help="Show what is wrong with files that are not valid.")] = False,
    as_json: Json = False,
) -> None:
    """List the projects; a star marks the one that commands mean without -p."""
    projects = list_projects()
    if as_json:
        print_json([_document(project) for project in projects])
        return
    print_table(_COLUMNS, [project for project in projects if project.problem is None])
    broken = [project for project in projects if project.problem is not None]
    if warn:
        for project in broken:
            write_out(f"{project.problem}\n")
    elif broken:
        say(f"{plural(len(broken), 'file')} cannot be used; to see why, type: tow project list --warn")


def _document(project: ProjectSummary) -> dict[str, object]:
    return {
        "name": project.name,
        "file": None if project.file is None else str(project.file),
        "is_chosen": project.is_chosen,
        "problem": project.problem,
        "workers": list(project.workers),
        "base_dir": None if project.base_dir is None else str(project.base_dir),
    }
