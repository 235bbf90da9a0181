"""`tow runner update-status`."""

import click

from towline.interfaces.cli.display import print_json, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.progress import counted
from towline.interfaces.cli.runner.options import Interactive, LogLevel, LogLevelOption, SetPid
from towline.interfaces.cli.session import project_of
from towline.operations.runners import update_states


def command(
    context: click.Context,
    log_level: LogLevelOption = None,
    set_pid: SetPid = False,
    connect_interactive: Interactive = False,
    as_json: Json = False,
) -> None:
    """Ask the workers once what became of the jobs in flight, without a runner; no job is started."""
    updated = update_states(project_of(context), LogLevel.text(log_level))
    if as_json:
        print_json({"asked_about": updated.asked_about, "now": {s.value: n for s, n in updated.states.items()}})
        return
    write_out(
        f"asked about {updated.asked_about} jobs in flight; of these are now: {counted(updated.states) or 'none'}\n"
    )
