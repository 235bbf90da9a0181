"""`tow job info`."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any

import click

from towline.errors import InvalidRequest
from towline.interfaces.cli.display import duration, local_time, print_json, state_text, suggest, write_out
from towline.interfaces.cli.documents import detailed_job_document
from towline.interfaces.cli.options import Json, MaybeOneJob, Verbosity
from towline.interfaces.cli.parameters import Option
from towline.interfaces.cli.session import open_session
from towline.interfaces.cli.tables import print_fields
from towline.operations.job_documents import job_document
from towline.operations.jobs import JobReport, job_info, job_of_process
from towline.operations.selection import job_row

#: Letters of a text in the work of a job that people are shown.
_LONGEST_TEXT = 500


def command(
    context: click.Context,
    chosen: MaybeOneJob,
    pid: Annotated[str | None, Option("--pid", help="Process or scheduler id, instead of the job.")] = None,
    show_none: Annotated[bool, Option("--show-none", "-n", help="Show what has no value too.")] = False,
    verbosity: Verbosity = 0,
    as_json: Json = False,
) -> None:
    """Everything about one job: where it is, what went wrong, what it waits for, what to type next."""
    with open_session(context) as opened:
        if (chosen.job_db_id is None) == (pid is None):
            raise InvalidRequest("name a job by its id, or by --pid: tow job info JOB_DB_ID")
        if pid is not None:
            row = job_of_process(opened, pid)
        else:
            row = job_row(opened, str(chosen.job_db_id), chosen.job_index)
        report = job_info(opened, row)
        payload = job_document(opened, row).payload if verbosity else None
        prefix = opened.db_id_prefix
    if as_json:
        print_json(report_document(report, prefix) | ({} if payload is None else {"job": payload}))
        return
    fields = list(_fields(report, prefix, verbosity))
    print_fields((name, "None" if value is None and show_none else value) for name, value in fields)
    if verbosity:
        print_fields([("job", _shortened(payload))])
        _print_history(report)
    if report.advice:
        suggest(f"\n{report.advice}")


def report_document(report: JobReport, prefix: str) -> dict[str, Any]:
    """The whole report as JSON."""
    return {
        **detailed_job_document(report.job),
        "failure": report.job.failure and asdict(report.job.failure),
        "waits_for": [
            {**asdict(parent), "id": f"{prefix}{parent.id}", "state": parent.state.value} for parent in report.blocking
        ],
        "waits": list(report.waits),
        "made_by_earlier_attempts": [asdict(job) for job in report.made_earlier],
        "events": [asdict(event) for event in report.events],
        "earlier_attempts": [asdict(attempt) for attempt in report.earlier_attempts],
        "attempts_to_end": list(report.ending),
        "logs": list(report.logs),
        "advice": report.advice,
        "ran_with": report.environment,
    }


def _fields(report: JobReport, prefix: str, verbosity: int) -> Iterator[tuple[str, Any]]:
    job = report.job
    yield "db_id", job.db_id
    yield "uuid", job.uuid
    yield "index", job.index
    yield "name", job.name
    yield "state", state_text(job.state)
    yield "waits for", _parents(report, prefix)
    yield "error", _error(report)
    yield from _remote(report)
    yield "previous state", job.previous_state and job.previous_state.value
    yield "attempt", job.attempt if job.attempt > 1 else None
    yield "created on", local_time(job.created_on)
    yield "updated on", local_time(job.updated_on)
    yield "start time", local_time(job.start_time) or None
    yield "end time", local_time(job.end_time) or None
    yield "run time", duration(job.run_time if job.run_time is not None else job.estimated_run_time) or None
    yield "metadata", dict(job.metadata) or None
    yield "run dir", job.run_dir
    yield "logs", "\n".join(report.logs) or None
    yield "parents", "\n".join(job.parents) or None
    yield "priority", job.priority
    yield "worker", job.worker
    yield "next worker", job.next_worker
    yield "work dir", job.work_dir
    yield "next work dir", "that of the worker" if job.next_work_dir == "" else job.next_work_dir
    yield "resources", job.resources
    yield "exec config", job.exec_config
    yield "held by runner", job.lock_id
    yield "stored data", job.stored_data
    yield "flow", job.flow_id
    # What jobflow calls the hosts of a job are the flows around it; the outermost one stands above.
    yield "inner flows", "\n".join(host for host in job.hosts if host != job.flow_id) or None
    yield "ran with", _ran_with(report)
    if verbosity:
        yield "exit record", job.exit_record
        yield "environment", job.environment
        yield "packages", _packages(report)


def _ran_with(report: JobReport) -> str | None:
    """The interpreter of the job, and the versions that matter most."""
    facts = report.job.environment
    if not facts:
        return None
    versions = ", ".join(f"{name} {facts[name]}" for name in ("towline", "jobflow") if name in facts)
    return f"Python {facts.get('python')} ({facts.get('executable')}) on {facts.get('hostname')}, {versions}"


def _packages(report: JobReport) -> str | None:
    packages = (report.environment or {}).get("packages", {})
    return ", ".join(f"{name} {version}" for name, version in packages.items()) or None


def _shortened(value: Any) -> Any:
    """The same without what only programs read, such as pickled functions; --json has all of it."""
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[:20]}… ({len(value)} letters)"
    if isinstance(value, Mapping):
        return {key: _shortened(item) for key, item in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list | tuple) else value


def _remote(report: JobReport) -> Iterator[tuple[str, Any]]:
    """What the runner knows of the job on its worker."""
    remote = report.job.remote
    yield "exit", _exit(report)
    yield "still ending", ", ".join(f"attempt {number}" for number in report.ending) or None
    yield "step attempts", remote.step_attempts or None
    yield "next try", local_time(remote.retry_time_limit) or None
    yield "process id", remote.process_id


def _parents(report: JobReport, prefix: str) -> str | None:
    parents = [f"{prefix}{parent.id} {parent.name} {parent.state.value}" for parent in report.blocking]
    return "\n".join([*report.waits, *parents]) or None


def _error(report: JobReport) -> str | None:
    failure = report.job.failure
    if failure is None:
        return None
    # That an error was an error goes without saying.
    first = failure.message if failure.reason == "error" else f"{failure.reason}: {failure.message}"
    return "\n".join(filter(None, [first, (failure.details or "").rstrip()]))


def _exit(report: JobReport) -> str | None:
    job = report.job
    if job.exit_signal is not None:
        return f"signal {job.exit_signal}"
    return None if job.exit_code is None else f"code {job.exit_code}"


def _print_history(report: JobReport) -> None:
    for event in report.events:
        states = [state.value if state else "·" for state in (event.from_state, event.to_state)]
        move = f"{states[0]} → {states[1]}  " if event.from_state or event.to_state else ""
        note = f"  {event.note}" if event.note else ""
        write_out(f"{local_time(event.at)}  {move}by {event.actor}{note}\n")
    for attempt in report.earlier_attempts:
        where = f"  {attempt.run_dir}" if attempt.run_dir else ""
        reason = attempt.outcome.get("reason")
        # The end of an allocation is no failure of a job in it.
        how = "handed back" if reason == "interrupted" else attempt.state.value
        how += f" ({reason})" if reason else ""
        after = f"; {attempt.outcome['followed_by']}" if attempt.outcome.get("followed_by") else ""
        write_out(f"attempt {attempt.attempt}: {how} on {attempt.worker}{where}{after}\n")
    for job in report.made_earlier:
        write_out(f"made by an earlier attempt: job {job.id} {job.name}, {job.state.value}\n")
