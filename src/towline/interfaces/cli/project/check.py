"""`tow project check`."""

from collections.abc import Iterable
from typing import Annotated

import click

from towline.interfaces.cli.completions import complete_worker
from towline.interfaces.cli.display import print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import project_of
from towline.interfaces.cli.tables import Painted
from towline.operations.checks import Check, Outcome
from towline.operations.project_checks import check_project, chosen_parts

#: Colour, and whether it is bold.
_COLOURS = {Outcome.OK: ("green", False), Outcome.WARNING: ("yellow", False), Outcome.FAILED: ("red", True)}


def command(
    context: click.Context,
    jobstore: Annotated[bool, Option("--jobstore", "-js", help="Check the job stores only.")] = False,
    queue: Annotated[bool, Option("--queue", "-q", help="Check the queue only.")] = False,
    worker: Annotated[
        str | None,
        Option("--worker", "-w", metavar="NAME", help="Check this worker only.", autocompletion=complete_worker),
    ] = None,
    errors: Annotated[bool, Option("--errors", "-e", help="Show the tracebacks of errors.")] = False,
    full: Annotated[bool, Option("--full", "-f", help="Compare all packages, and not only the main ones.")] = False,
    as_json: Json = False,
) -> None:
    """Check that everything in a project works; fails when something does not."""
    parts = chosen_parts(queue=queue, jobstore=jobstore, worker=worker)
    checks = check_project(project_of(context), parts=parts, worker=worker, all_packages=full)
    show_checks(checks, errors=errors, as_json=as_json)


def show_checks(checks: Iterable[Check], *, errors: bool, as_json: bool) -> None:
    """Show what was found, each line as soon as it is known; end with exit code 1 when something does not work."""
    failed = False
    found = []
    for check in checks:
        failed |= check.outcome is Outcome.FAILED
        if as_json:
            found.append(check)
        else:
            _print(check, errors=errors)
    if as_json:
        print_json([_document(check, errors=errors) for check in found])
    if failed:
        raise click.exceptions.Exit(1)


def _print(check: Check, *, errors: bool) -> None:
    outcome = Painted(f"{check.outcome.value:<8}", *_COLOURS[check.outcome])
    write_out(f"{outcome}{check.subject}: {check.message}\n")
    if check.remedy is not None:
        write_out(f"{'':8}-> {check.remedy}\n")
    if errors and check.details is not None:
        write_out("".join(f"{'':8}{line}\n" for line in check.details.splitlines()))


def _document(check: Check, *, errors: bool) -> dict[str, str | None]:
    document = {
        "subject": check.subject,
        "outcome": check.outcome.value,
        "message": check.message,
        "remedy": check.remedy,
    }
    return document | {"details": check.details} if errors else document
