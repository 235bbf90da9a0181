"""`tow job list`."""

import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import click

from towline.core.states import IN_FLIGHT
from towline.errors import InvalidRequest
from towline.interfaces.cli.display import plural, print_json, suggest, write_out
from towline.interfaces.cli.documents import (
    detailed_job_document,
    job_column_names,
    job_columns,
    job_document,
    needs_details,
)
from towline.interfaces.cli.options import Columns, JobQuery, Json, Sorting, Verbosity
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.selection import page_of, wanted_jobs
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import Column, Painted, print_table, table
from towline.operations.job_lists import JobFilter, JobInfo, Page, count_jobs, list_jobs
from towline.operations.worker_overview import notes
from towline.settings import load_settings

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

_SECONDS_BETWEEN_LOOKS = 0.2

#: Colours that tell flows apart, for --color.
_FLOW_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


def command(
    context: click.Context,
    query: JobQuery,
    sorting: Sorting,
    shown: Columns,
    verbosity: Verbosity = 0,
    locked: Annotated[bool, Option("--locked", "-l", help="Only jobs that the runner holds.")] = False,
    latest_flow: Annotated[
        int | None, Option("--latest-flow", "-lf", help="Only jobs of the N newest flows.", metavar="N", min=1)
    ] = None,
    error: Annotated[bool, Option("--error", "-e", help="Show what went wrong.")] = False,
    running: Annotated[bool, Option("--running", "-run", help="Only jobs that are on their way.")] = False,
    count: Annotated[bool, Option("--count", help="Print only how many there are.")] = False,
    color: Annotated[bool, Option("--color", "-col", help="Colour the ids by flow.")] = False,
    watch: Annotated[bool, Option("--watch", help="Keep the list up to date until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """List jobs, the newest first."""
    with open_session(context) as opened:
        wanted = _wanted(opened, query, locked=locked, running=running, latest_flow=latest_flow)
        if count:
            write_out(f"{count_jobs(opened, wanted)}\n")
            return
        names = job_column_names(shown.output, verbosity, load_settings().cli_job_list_columns)
        names += ["error"] if error and "error" not in names else []
        keys = shown.stored_data_key or []
        page, details = page_of(sorting), needs_details(names) or bool(keys)
        columns = _coloured(job_columns(names, keys)) if color else job_columns(names, keys)

        def look() -> list[JobInfo]:
            return list_jobs(opened, wanted, page, details=details)

        if as_json:
            print_json([(detailed_job_document if details else job_document)(job) for job in look()])
        elif watch:
            _watch(opened, columns, look)
        else:
            jobs = look()
            print_table(columns, jobs)
            _tell_of_more(opened, wanted, page, jobs)
            for note in notes(opened):
                suggest(note)


def _wanted(
    opened: "OpenProject", query: JobQuery, *, locked: bool, running: bool, latest_flow: int | None
) -> JobFilter:
    wanted = wanted_jobs(opened, query, locked=locked)
    if running:
        if wanted.states:
            raise InvalidRequest("--running and --state exclude each other; give one of them")
        wanted = replace(wanted, states=tuple(sorted(IN_FLIGHT)))
    if latest_flow is not None:
        if wanted.flow_ids:
            raise InvalidRequest("--latest-flow and --flow-id exclude each other; give one of them")
        from towline.operations.flows import FlowFilter, list_flows  # only for this option

        newest = list_flows(opened, FlowFilter(), Page(limit=latest_flow))
        # Without any flow nothing is meant, not everything.
        wanted = replace(wanted, flow_ids=tuple(flow.flow_id for flow in newest) or ("",))
    return wanted


def _watch(opened: "OpenProject", columns: Sequence[Column], look: Callable[[], Sequence[JobInfo]]) -> None:
    """Draw the list again whenever the database has changed, until the user interrupts."""
    from rich.console import Console  # only who watches pays for it
    from rich.live import Live
    from rich.text import Text

    # An exception could be raised, and lost, while an object is being deleted; a mark cannot.
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        with Live(console=Console(highlight=False), auto_refresh=False) as live:
            live.update(Text.from_ansi(table(columns, look())), refresh=True)
            version = opened.database.data_version()
            while not interrupted.wait(_SECONDS_BETWEEN_LOOKS):
                if opened.database.data_version() != version:
                    version = opened.database.data_version()
                    live.update(Text.from_ansi(table(columns, look())), refresh=True)
    finally:
        signal.signal(signal.SIGINT, before)


def _coloured(columns: Sequence[Column]) -> list[Column]:
    """The same columns, the first in a colour for each flow."""
    colours: dict[str, str] = {}
    first = columns[0]

    def cell(job: JobInfo) -> Any:
        colour = colours.setdefault(job.flow_id, _FLOW_COLOURS[len(colours) % len(_FLOW_COLOURS)])
        return Painted(str(first.cell(job)), colour)

    return [replace(first, cell=cell), *columns[1:]]


def _tell_of_more(opened: "OpenProject", wanted: JobFilter, page: Page, jobs: Sequence[JobInfo]) -> None:
    if not page.limit or len(jobs) < page.limit:
        return
    number = count_jobs(opened, wanted)
    if number > len(jobs):
        suggest(f"{len(jobs)} of {plural(number, 'job')}; for all of them: --max-results 0")
