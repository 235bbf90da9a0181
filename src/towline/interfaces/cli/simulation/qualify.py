"""`tow simulation qualify`."""

import click

from towline.interfaces.cli.display import print_json, say, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.simulation.options import CaseOptions, PlaceOptions, configuration_from, planned_from
from towline.interfaces.cli.simulation.telling import FALSIFIED, INCONCLUSIVE


def command(case: CaseOptions, place: PlaceOptions, as_json: Json = False) -> None:
    """Tell whether solver, cells and steps are good enough for a case, by a problem with a known answer.

    It is run at once, on this machine, with MOOSE_EXEC or the embedded solver.

    Exit codes: 0 it gave the answer, 1 refused or failed, 4 it did not, 5 nobody can tell.
    """
    from towline.operations.simulation_qualification import qualify

    planned = planned_from(case)
    say(f"a problem of {planned.case.physics} with a known answer, with the cells and steps of the case ...")
    found = qualify(planned, configuration_from(place))
    check = found.check
    if as_json:
        about_check = {"check": check.check, "title": check.title, "outcome": check.outcome.value}
        about_run = {"solver": found.solver, "folder": str(found.folder), "seconds": found.seconds}
        print_json({**about_check, "reason": check.reason, "numbers": dict(check.numbers), **about_run})
    else:
        write_out(f"solver: {found.solver}, {found.seconds:.0f} s\n")
        write_out(f"{check.check} {check.outcome.value}: {check.reason}\n")
        write_out(f"folder: {found.folder}\n")
    code = {"pass": 0, "fail": FALSIFIED}.get(check.outcome.value, INCONCLUSIVE)
    if code:
        raise click.exceptions.Exit(code)
