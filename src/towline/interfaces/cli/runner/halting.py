"""What the commands that end runners have in common."""

from collections.abc import Callable
from pathlib import Path

import click

from towline.errors import RunnerNotActive, TowlineError, WaitTimedOut
from towline.interfaces.cli.display import print_json, say, write_out
from towline.interfaces.cli.runner.options import Halt
from towline.interfaces.cli.runner.reports import describe, status_document
from towline.interfaces.cli.session import project_of
from towline.operations.job_outputs import write_json
from towline.operations.projects import project_names
from towline.operations.runners import RunnerStatus

#: Ends the runner of a project, waiting so many seconds (None: for ever).
Ending = Callable[[str | None, float | None], RunnerStatus]


def halt(context: click.Context, how: Halt, end: Ending) -> None:
    """End the runner of the project, or of all projects, and report it.

    Raises
    ------
    TowlineError
        Of a single project: as `end` does.
    """
    if not how.everything:
        _report(how, [end(project_of(context), how.seconds)], single=True)
        return
    ended, failed = [], None
    for name in project_names():
        try:
            ended.append(end(name, how.seconds))
        except RunnerNotActive:
            continue  # the projects without a runner are not what was meant
        except TowlineError as error:
            # The others shall end nevertheless.
            say(f"tow: {name}: {error}")
            failed = error
    if not ended and failed is None:
        say("no runner is active for any project")
    _report(how, ended, single=False)
    if failed is not None:
        raise click.exceptions.Exit(3 if isinstance(failed, WaitTimedOut) else 1)


def _report(how: Halt, ended: list[RunnerStatus], *, single: bool) -> None:
    documents = [status_document(status) for status in ended]
    content = documents[0] if single else documents
    if how.json == "-":
        print_json(content)
        return
    if how.json is not None:
        write_json(content, Path(how.json))
    write_out("".join(f"{describe(status)}\n" for status in ended))
