"""`tow simulation render`."""

from pathlib import Path
from typing import Annotated

from towline.errors import InvalidRequest
from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.simulation.options import CaseOptions, planned_from
from towline.interfaces.cli.simulation.telling import print_findings


def command(
    case: CaseOptions,
    output: Annotated[Path | None, Option("--output", "-o", help="Write it into this file.", metavar="FILE")] = None,
) -> None:
    """Show the input that a case would be run with."""
    from towline.operations.simulation_planning import render_input

    planned = planned_from(case)
    print_findings(planned)
    text = render_input(planned)
    if output is None:
        write_out(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"{output} cannot be written: {error.strerror}") from error
