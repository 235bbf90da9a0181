"""Commands that change jobs: what they have in common, and what they report."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from towline.errors import NoSuchJob
from towline.interfaces.cli.display import plural, print_json, say, write_out
from towline.interfaces.cli.documents import changed_document
from towline.interfaces.cli.options import Acting, JobQuery, MaybeOneJob
from towline.interfaces.cli.progress import Bar
from towline.interfaces.cli.selection import jobs_to_change
from towline.interfaces.cli.session import open_session
from towline.operations.jobs import Changed

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject
    from towline.operations.jobs import Progress


def change_jobs(
    context: click.Context,
    chosen: MaybeOneJob,
    query: JobQuery,
    action: "Callable[[OpenProject, list[int], Progress], Changed]",
    acting: Acting,
    *,
    verb: str,
    done: str,
) -> None:
    """Do something to the jobs that the options choose, and report it.

    Parameters
    ----------
    verb, done
        What happens, for the question ("stop") and for the report ("stopped").

    Raises
    ------
    NoSuchJob
        No job was found, or none could be changed.
    """
    with open_session(context, patience_seconds=acting.wait) as opened:
        rows = jobs_to_change(opened, chosen, query, verb, yes=acting.yes)
        with Bar(f"{verb} {plural(len(rows), 'job')}") as bar:
            changed = action(opened, rows, bar.show) if rows else Changed()
    report(changed, acting, done=done)


def report(changed: Changed, acting: Acting, *, done: str) -> None:
    """Say what was changed and what was not; fail when there is nothing but refusals."""
    if acting.as_json:
        print_json(changed_document(changed))
    else:
        for reason in changed.refused.values():
            say(f"tow: {reason}")
        write_out(f"{plural(len(changed.changed), 'job')} {done}\n")
        if changed.also_changed:
            write_out(f"{plural(len(changed.also_changed), 'job')} after them went back too\n")
        if changed.deleted_folders:
            write_out(f"{plural(len(changed.deleted_folders), 'run folder')} deleted\n")
        if acting.verbosity:
            write_out("".join(f"{db_id}\n" for db_id in (*changed.changed, *changed.also_changed)))
    if not changed.changed:
        if not changed.refused:
            raise NoSuchJob("no job is like that; `tow job list` with the same options shows which are")
        raise click.exceptions.Exit(1)
