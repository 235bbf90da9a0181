"""`tow submit`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import click

from towline.interfaces.cli.completions import complete_exec_config, complete_worker
from towline.interfaces.cli.display import plural, print_json, say, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.progress import wait_and_exit
from towline.interfaces.cli.selection import pairs
from towline.interfaces.cli.session import open_session, project_of
from towline.operations.file_submission import submit_file
from towline.operations.jobs import runner_seems_active
from towline.operations.waiting import wait_flow


def command(
    context: click.Context,
    file: Annotated[Path, Argument(metavar="FILE", help="A script (.py) or a flow written as JSON (.json).")],
    object_name: Annotated[
        str | None,
        Option(
            "--object",
            help="Name of the flow in the script, or of a function that makes it.",
            metavar="NAME",
        ),
    ] = None,
    worker: Annotated[
        str | None,
        Option("--worker", "-wk", help="Where; otherwise the project's first worker.", autocompletion=complete_worker),
    ] = None,
    exec_config: Annotated[
        str | None,
        Option("--exec-config", "-ec", help="Environment of the project.", autocompletion=complete_exec_config),
    ] = None,
    resources: Annotated[
        str | None, Option("--resources", "-r", help="key=value, commas between several, or JSON.")
    ] = None,
    priority: Annotated[int, Option("--priority", help="Higher runs first.")] = 0,
    work_dir: Annotated[
        str | None,
        Option("--work-dir", help="Folder on the worker for the run folders, not the worker's own.", metavar="FOLDER"),
    ] = None,
    jobstore: Annotated[str | None, Option("--jobstore", help="Optional job store for the outputs.")] = None,
    allow_external_references: Annotated[
        bool, Option("--allow-external-references", help="Jobs may use outputs of earlier flows.")
    ] = False,
    wait: Annotated[bool, Option("--wait", "-w", help="Wait for its end; exit code 3 if it failed.")] = False,
    as_json: Json = False,
) -> None:
    """Put the flow of a script or of a JSON file into the queue."""
    with open_session(context) as opened:
        submitted = submit_file(
            opened,
            file,
            object_name=object_name,
            worker=worker,
            exec_config=exec_config,
            resources=None if resources is None else pairs(resources, "--resources"),
            priority=priority,
            allow_external_references=allow_external_references,
            jobstore=jobstore,
            work_dir=work_dir,
        )
        active = runner_seems_active(opened)
    if as_json:
        print_json(asdict(submitted))
    else:
        write_out(f"flow {submitted.flow_id} ({submitted.name}): {plural(len(submitted.db_ids), 'job')}\n")
        write_out(" ".join(submitted.db_ids) + "\n")
    if not active:
        say("No runner is active, so nothing runs yet. To start one: tow runner start")
    if wait:
        wait_and_exit(
            lambda progress: wait_flow(submitted.flow_id, project=project_of(context), progress=progress),
            look=f"tow flow info {submitted.db_ids[0]}",
            as_json=False,
        )
