"""`tow simulation verify`."""

from typing import Annotated

import click

from towline.interfaces.cli.display import plural, print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.simulation.options import PlaceOptions, configuration_from


def command(
    place: PlaceOptions,
    run: Annotated[str, Argument(metavar="RUN", help="Its directory, its name or the beginning of it.")],
    as_json: Json = False,
) -> None:
    """Compare the files of a run with the hashes that were taken when it was judged. Exit code 1: something changed."""
    from towline.operations.simulation_records import find_run, runs_folder, verify_run

    found = verify_run(find_run(run, runs_folder(configuration_from(place))))
    if as_json:
        print_json({"compared": found.compared, "changed": list(found.changed), "missing": list(found.missing)})
    else:
        for word, names in (("changed", found.changed), ("missing", found.missing)):
            for name in names:
                write_out(f"{word}: {name}\n")
        if not found.changed and not found.missing:
            write_out(f"{plural(found.compared, 'file')}: as they were\n")
    if found.changed or found.missing:
        raise click.exceptions.Exit(1)
