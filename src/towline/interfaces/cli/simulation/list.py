"""`tow simulation list`."""

from pathlib import Path
from typing import Annotated

from towline.interfaces.cli.display import print_json, say
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.simulation.options import PlaceOptions, configuration_from
from towline.interfaces.cli.tables import Column, print_table


def command(
    place: PlaceOptions,
    folder: Annotated[
        Path | None, Option("--folder", help="Folder of the run directories; otherwise RUNS_DIR.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the simulations that were run, the newest first."""
    from towline.operations.simulation_records import list_runs, runs_folder

    parent = runs_folder(configuration_from(place)) if folder is None else folder
    rows = list_runs(parent)
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(f"no simulation was run in {parent} yet; tow simulate --help says how to begin")
        return
    print_table(
        [
            Column("Run", lambda row: row["dir_name"], cut=True),
            Column("Physics", lambda row: row.get("physics", "")),
            Column("Status", lambda row: row.get("status", "")),
            Column("Verdict", lambda row: (row.get("verdict") or {}).get("sentence", row.get("problem", ""))),
            Column("Solver", lambda row: row.get("solver", "")),
        ],
        rows,
    )
