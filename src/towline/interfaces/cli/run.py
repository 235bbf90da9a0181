"""`tow run`."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from towline.errors import InvalidRequest, RunnerAlreadyActive
from towline.interfaces.cli.completions import complete_exec_config, complete_worker
from towline.interfaces.cli.display import say, write_out
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.progress import BytesBar, goes_on
from towline.interfaces.cli.resource_options import ShortResourceOptions
from towline.interfaces.cli.run_following import follow_and_fetch
from towline.interfaces.cli.selection import pairs
from towline.interfaces.cli.session import open_session, project_of
from towline.operations.command_runs import CommandRun, submit_run
from towline.operations.input_files import Inputs, find_inputs
from towline.operations.input_staging import Watching
from towline.operations.inputs_elsewhere import brought_here
from towline.operations.jobs import get_job, runner_seems_active

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject


def command(
    context: click.Context,
    command: Annotated[
        list[str], Argument(metavar="COMMAND...", help="The program and its arguments.", takes_the_rest=True)
    ],
    *,
    worker: Annotated[
        str | None,
        Option(
            *("--worker", "-w"), help="Where; otherwise the project's first worker.", autocompletion=complete_worker
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        Option(
            *("--input", "-i"),
            help="File or folder to send along; NAME=PATH gives it another name, worker:/PATH is there already, "
            "OTHER:/PATH is on another worker.",
            metavar="PATH",
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        Option(
            "--output",
            "-o",
            help="Files to bring back: a name, a pattern such as '*.csv', or folder/.",
            metavar="PATTERN",
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        Option("--env", "-e", help="A variable for the command: NAME=VALUE, or NAME as it is here.", metavar="NAME"),
    ] = None,
    into: Annotated[
        Path | None, Option("--into", help="Folder for the outputs; otherwise job_ID.", metavar="FOLDER")
    ] = None,
    name: Annotated[str | None, Option("--name", help="Name of the job; otherwise that of the program.")] = None,
    exec_config: Annotated[
        str | None,
        Option("--exec-config", "-ec", help="Environment of the project.", autocompletion=complete_exec_config),
    ] = None,
    priority: Annotated[int, Option("--priority", help="Higher runs first.")] = 0,
    work_dir: Annotated[
        str | None,
        Option("--work-dir", help="Folder on the worker for the run folder, not the worker's own.", metavar="FOLDER"),
    ] = None,
    detach: Annotated[bool, Option("--detach", "-d", help="Print the id of the job, and do not wait.")] = False,
    wanted: ShortResourceOptions,
    resources: Annotated[
        list[str] | None,
        Option(
            *("--resources", "-r"),
            help="Any resource, also in the scheduler's own words: key=value, commas between several, or JSON.",
            metavar="KEY=VALUE",
        ),
    ] = None,
) -> None:
    """Run a command on a worker: send its inputs, show what it prints, bring its outputs back.

    The exit code is that of the command; 128 + n when signal n ended it, 124 when its time was over, 143 when it was
    stopped, 3 when it did not end well by other means. Ctrl-C leaves the job alone.
    """
    run = CommandRun(
        words=command,
        inputs=Inputs(),
        outputs=[f"{text}**/*" if text.endswith("/") else text for text in outputs or ()],
        environment=dict(_variable(text) for text in env or ()),
        name=name,
        worker=worker,
        resources=wanted.with_words(
            {key: value for text in resources or () for key, value in pairs(text, "--resources").items()}
        ),
        exec_config=exec_config,
        priority=priority,
        work_dir=work_dir,
    )
    with open_session(context) as opened, brought_here(opened, inputs or (), worker) as texts:
        run = replace(run, inputs=find_inputs(texts))
        row = _submit(opened, run)
        db_id = opened.db_id(row)
        if detach:
            write_out(f"{db_id}\n")
        else:
            say(f"job {db_id} ({get_job(opened, row).name}) on {run.worker or opened.project.worker()[0]}")
        _see_to_runner(opened, context)
        if not detach:
            code = follow_and_fetch(opened, row, run.outputs, into or Path(f"job_{db_id}"))
            raise click.exceptions.Exit(code)


def _submit(opened: "OpenProject", run: CommandRun) -> int:
    worker = run.worker or opened.project.worker()[0]
    try:
        with BytesBar(f"to {worker}") as bar:
            return submit_run(opened, run, Watching(bar.show, goes_on))
    except KeyboardInterrupt:
        say("\nNothing was submitted. What was sent stays there: the same command goes on where this one stopped.")
        raise click.exceptions.Exit(130) from None


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if equals:
        return name, value
    if name not in os.environ:
        raise InvalidRequest(f"the variable {name} is not set here; set it, or write --env {name}=VALUE")
    return name, os.environ[name]


def _see_to_runner(opened: "OpenProject", context: click.Context) -> None:
    """Start a runner when there is none."""
    if runner_seems_active(opened):
        return
    # Nobody else needs what starts processes.
    from towline.operations.runners import start

    try:
        started = start(project_of(context))
    except RunnerAlreadyActive:
        return
    say(f"No runner was active, so one was started (pid {started.pid}); tow runner stop stops it.")
