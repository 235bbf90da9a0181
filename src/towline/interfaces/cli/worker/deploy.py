"""`tow worker deploy`."""

from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Annotated

import click

from towline.interfaces.cli.completions import complete_worker
from towline.interfaces.cli.display import print_json, say, suggest, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Argument, Option
from towline.interfaces.cli.progress import BytesBar
from towline.interfaces.cli.session import open_session
from towline.operations.old_environments import OldEnvironments, old_environments
from towline.operations.worker_deployment import USUAL_FOLDER, Deployment, DeploymentRequest, deploy


def command(
    context: click.Context,
    name: Annotated[str, Argument(metavar="NAME", help="The worker.", autocompletion=complete_worker)],
    python: Annotated[
        str | None,
        Option("--python", help="Python there to use: version, program or path. [default: the one that fits best]"),
    ] = None,
    packages: Annotated[
        list[str] | None,
        Option("--package", "-P", help="Further package or module of here that jobs import; can be repeated."),
    ] = None,
    folder: Annotated[str, Option("--folder", help="Folder for environments on the worker.")] = USUAL_FOLDER,
    on_top: Annotated[
        bool, Option("--on-top", help="Use the packages that the Python there has, and add only missing ones.")
    ] = False,
    offline: Annotated[bool, Option("--offline", help="Send everything from here, and ask no package index.")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Look, and say what would be done.")] = False,
    delete_old: Annotated[
        bool, Option("--delete-old", help="Delete what earlier deployments of this project made and nothing uses.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put towline and the packages of this environment on a worker, in the same versions, and let its jobs use them."""
    request = DeploymentRequest(python, folder, tuple(packages or ()), offline, on_top)
    with open_session(context) as opened, BytesBar(f"to {name}") as bar:
        done = deploy(opened.project, name, request, dry_run=dry_run, progress=bar.show, say=say)
        opened.wake_runner()
        before = opened.project.worker(name)[1].python
        current = PurePosixPath(done.place).name
        old = old_environments(opened, name, folder, current, before, delete=delete_old and not dry_run)
    if as_json:
        deleted = {"deleted": old.deleted, "kept_environments": old.kept} if delete_old else {}
        print_json(asdict(done) | deleted)
        return
    _show(done, dry_run=dry_run)
    _show_old(old, name, delete=delete_old, dry_run=dry_run)


def _show_old(old: OldEnvironments, worker: str, *, delete: bool, dry_run: bool) -> None:
    listed = ", ".join(f"{name} ({size / 1e6:.0f} MB)" for name, size in old.deleted.items())
    if delete:
        if listed:
            write_out(f"{'would be deleted' if dry_run else 'deleted'}, because nothing uses it any more: {listed}\n")
        for name, reason in old.kept.items():
            write_out(f"{name} stays: {reason}\n")
    elif listed:
        suggest(f"Nothing uses {listed} any more; to delete: tow worker deploy {worker} --delete-old")


def _show(done: Deployment, *, dry_run: bool) -> None:
    main = ", ".join(f"{name} {done.packages[name]}" for name in ("towline", "jobflow") if name in done.packages)
    what = f"Python {done.python_version} ({done.made_with}) with {len(done.packages)} packages: {main}"
    if done.was_there:
        write_out(f"{done.worker}: {done.place} is there already: {what}\n")
    elif dry_run:
        write_out(f"{done.worker}: {done.place} would be made: {what}\n")
    else:
        origin = "from the package index of the worker" if done.from_index else "sent from here"
        write_out(f"{done.worker}: {done.place} is ready, {origin}: {what}\n")
    if done.kept:
        write_out(f"packages that stay as they are there: {', '.join(done.kept)}\n")
    if dry_run:
        return
    if done.project_file is not None:
        write_out(f"its Python jobs use {done.python} from now on ({done.project_file})\n")
    else:
        suggest(f"Write into the project file, at workers.{done.worker}:  python: {done.python}")
