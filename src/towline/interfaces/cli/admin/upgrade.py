"""`tow admin upgrade`."""

from dataclasses import asdict
from typing import Annotated

import click

from towline.interfaces.cli.display import print_json, suggest, write_out
from towline.interfaces.cli.options import Json
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import project_of
from towline.operations.database_upgrades import upgrade_database


def command(
    context: click.Context,
    no_dry_run: Annotated[
        bool, Option("--no-dry-run", "-ndr", help="Do it; otherwise it is only told what would be done.")
    ] = False,
    check_env: Annotated[
        bool, Option("--check-env", "-ce", refused="has no effect on the tables; `tow project check` compares packages")
    ] = False,
    target: Annotated[
        int | None, Option("--target", "-t", help="Schema version to reach; otherwise the newest.", metavar="VERSION")
    ] = None,
    force: Annotated[bool, Option("--force", "-f", help="Also while a runner works with the old schema.")] = False,
    as_json: Json = False,
) -> None:
    """Bring the database of the queue to the newest schema. Other commands do that too when it is safe."""
    done = upgrade_database(project_of(context), target=target, dry_run=not no_dry_run, force=force)
    if as_json:
        print_json({**asdict(done), "copy": None if done.copy is None else str(done.copy), "dry_run": not no_dry_run})
        return
    if not done.steps:
        write_out(f"the database has schema version {done.from_version}; there is nothing to do\n")
        return
    for step in done.steps:
        kind = "a runner that is active can go on" if step.additive else "no runner may be active"
        write_out(f"-- {step.number}: {step.what} ({kind})\n")
        for statement in step.statements:
            write_out(f"{statement};\n")
    verb = "upgraded" if no_dry_run else "would be upgraded"
    write_out(f"{verb} from schema version {done.from_version} to {done.to_version}\n")
    if done.copy is not None:
        write_out(f"a copy of what was there before: {done.copy}\n")
    if not no_dry_run:
        suggest("to do it: tow admin upgrade --no-dry-run")
