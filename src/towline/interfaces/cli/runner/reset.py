"""`tow runner reset`."""

import click

from towline.interfaces.cli.display import say, write_out
from towline.interfaces.cli.options import BreakLock, HiddenForce, Yes
from towline.interfaces.cli.runner.reports import describe
from towline.interfaces.cli.selection import confirm
from towline.interfaces.cli.session import open_session
from towline.operations.runners import forget_runner, status_of


def command(
    context: click.Context, break_lock: BreakLock = False, yes: Yes = False, force: HiddenForce = False
) -> None:
    """Forget the registered runner, so that another one may start at once. One that is active ends by itself."""
    with open_session(context) as opened:
        found = status_of(opened)
        if found.active:
            say(describe(found))
            confirm("Take the project from it? It ends by itself, and jobs go on.", yes=yes or force)
        forgotten = forget_runner(opened)
    write_out("the runner is forgotten\n" if forgotten else "no runner is registered\n")
