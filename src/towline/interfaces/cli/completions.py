"""Values that the shell completes, where they are cheap to know. Completing never fails and never waits long."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from towline.errors import TowlineError
from towline.interfaces.cli.session import open_session

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

_MOST = 30


def complete_job(context: click.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest jobs whose db_id begins so, each with name and state."""
    from towline.operations.jobs import JobFilter, Page, list_jobs  # only when a value is completed

    def find(opened: "OpenProject") -> list[tuple[str, str]]:
        jobs = list_jobs(opened, JobFilter(), Page(limit=_MOST * 10))
        return [(job.db_id, f"{job.name} {job.state.value}") for job in jobs if job.db_id.startswith(incomplete)]

    return _completed(context, find)


def complete_flow(context: click.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest flows whose db_id or uuid begins so, each with name and state."""
    from towline.operations.flows import FlowFilter, list_flows  # only when a value is completed
    from towline.operations.jobs import Page

    def find(opened: "OpenProject") -> list[tuple[str, str]]:
        flows = list_flows(opened, FlowFilter(), Page(limit=_MOST * 10))
        named = [(identity, flow) for flow in flows for identity in (flow.db_id, flow.flow_id)]
        return [(text, f"{flow.name} {flow.state.value}") for text, flow in named if text.startswith(incomplete)]

    return _completed(context, find)


def complete_worker(context: click.Context, incomplete: str) -> list[str]:
    """Workers of the project."""

    def find(opened: "OpenProject") -> list[str]:
        return [name for name in opened.project.workers if name.startswith(incomplete)]

    return _completed(context, find)


def complete_exec_config(context: click.Context, incomplete: str) -> list[str]:
    """Environments of the project."""

    def find(opened: "OpenProject") -> list[str]:
        return [name for name in opened.project.exec_config if name.startswith(incomplete)]

    return _completed(context, find)


def _completed(context: click.Context, find: "Callable[[OpenProject], list[Any]]") -> list[Any]:
    try:
        with open_session(context) as opened:
            return find(opened)[:_MOST]
    except TowlineError:
        return []
