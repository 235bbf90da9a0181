"""`tow worker login`."""

from typing import Annotated

import click

from towline.interfaces.cli.completions import complete_worker
from towline.interfaces.cli.display import write_out
from towline.interfaces.cli.parameters import Argument
from towline.interfaces.cli.session import open_session
from towline.operations.worker_overview import log_in


def command(
    context: click.Context,
    name: Annotated[str, Argument(metavar="NAME", help="The worker.", autocompletion=complete_worker)],
) -> None:
    """Log in to a worker where a person has to: ssh asks here for password or code, and the connection stays."""
    with open_session(context) as opened:
        write_out(f"{log_in(opened, name)}\n")
