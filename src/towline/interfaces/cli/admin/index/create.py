"""`tow admin index create`."""

from enum import Enum
from typing import Annotated

import click

from towline.errors import InvalidRequest
from towline.interfaces.cli.display import print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.session import open_session
from towline.operations.database_upgrades import create_index


class Direction(str, Enum):
    """Order of an index."""

    ASCENDING = "asc"
    DESCENDING = "desc"


class IndexedCollection(str, Enum):
    """What is indexed."""

    OUTPUTS = "outputs"
    JOBS = "jobs"
    FLOWS = "flows"
    AUXILIARY = "aux"


def command(
    context: click.Context,
    key: Annotated[str, Argument(metavar="KEY", help="Path in the output documents: output.energy.")],
    direction: Annotated[
        Direction, Argument(metavar="DIRECTION", help="asc or desc: an index here serves both.")
    ] = Direction.ASCENDING,
    collection: Annotated[
        IndexedCollection, Option("--collection", "-c", help="Only outputs can have further indexes.")
    ] = IndexedCollection.OUTPUTS,
    store: Annotated[
        str | None, Option("--store", help="Optional job store of type sql; otherwise the project's.", metavar="NAME")
    ] = None,
    unique: Annotated[
        bool, Option("--unique", "-u", refused="is not possible: outputs are told apart by uuid and index alone")
    ] = False,
    foreground: Annotated[
        bool, Option("--foreground", "-fg", refused="is how it is always done: the command ends when it is done")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make queries of the SQL job store for values at a path use an index."""
    if collection is not IndexedCollection.OUTPUTS:
        raise InvalidRequest(
            f"{collection.value} have every index that commands and queries of towline use; "
            "an index on outputs is made with: tow admin index create output.energy"
        )
    with open_session(context) as opened:
        made = create_index(opened, key, store)
    if not made:
        raise InvalidRequest(f"{key!r} cannot have an index; names of letters, digits, _, - and @ can: output.energy")
    if as_json:
        print_json({"key": key, "direction": direction.value})
        return
    write_out(f"queries for {key} use an index\n")
