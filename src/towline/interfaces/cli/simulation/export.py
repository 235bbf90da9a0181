"""`tow simulation export`."""

from pathlib import Path
from typing import Annotated

from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.simulation.options import PlaceOptions, configuration_from


def command(
    place: PlaceOptions,
    run: Annotated[str, Argument(metavar="RUN", help="Its directory, its name or the beginning of it.")],
    into: Annotated[Path | None, Option("--output", "-o", help="A new folder, or a .zip file.", metavar="PATH")] = None,
) -> None:
    """Write a run with its provenance as a Workflow Run RO-Crate, which other programs understand."""
    from towline.operations.simulation_records import export_run, find_run, runs_folder

    folder = find_run(run, runs_folder(configuration_from(place)))
    target = export_run(folder, Path(f"{folder.name}.crate") if into is None else into)
    write_out(f"{target}\n")
