"""Trying a worker behind a transport or a scheduler: each check is one named line with what to do about it."""

import shlex
import time
from collections.abc import Iterator, Mapping

from towline.configuration.execution import shell_setup
from towline.configuration.model import Project, WorkerConfig
from towline.core.records import ShellSetup
from towline.errors import WorkerError
from towline.operations.checks import Check, Outcome, guarded, ok
from towline.operations.environments import MAIN_PACKAGES, Environment, differences, probe_words, read_environment
from towline.operations.workers import batch_plan, python_of, queue_of, transport_of
from towline.workers.batch.plan import BatchPlan
from towline.workers.environments.expectation import look, mismatch, own_expectation
from towline.workers.environments.job_shell import in_job_shell
from towline.workers.schedulers.frames import PRELUDE, Frame, read_frames
from towline.workers.schedulers.scheduler import QueueFacts, SchedulerFacts
from towline.workers.transports.certificates import duration_text
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.transport import Transport

_LITTLE_BYTES = 1_000_000_000
_CLOCK_TOLERANCE_SECONDS = 5.0
#: A certificate that lapses sooner than this is worth a word.
_SHORT_CERTIFICATE_SECONDS = 3600.0
#: What Python jobs import.
_MODULES = ("jobflow", "towline.on_worker.run_job")

#: Spool and folder of the allocations; says how many entries are there.
_TRY_SPOOL = """mkdir -p -- "$1/new" "$1/claimed" "$2" && cd -- "$2" &&
true >.towline-check.$$ && rm .towline-check.$$ && cd -- "$1" && mkdir -p claimed/check.$$ &&
true >.towline-check.$$ && mv .towline-check.$$ claimed/check.$$/entry &&
[ -e claimed/check.$$/entry ] && rm -r claimed/check.$$ || exit 1
set -- new/*; if [ -e "$1" ]; then echo $#; fi
"""

_WRITE = 'mkdir -p -- "$1" && cd -- "$1" && true >.towline-check.$$ && rm -f .towline-check.$$'


def remote_checks(project: Project, name: str, own: Environment, *, all_packages: bool = False) -> Iterator[Check]:
    """Try a worker, and tell each result as soon as it is there.

    Parameters
    ----------
    own
        The environment that submits the jobs.
    all_packages
        Whether to compare all installed packages, and not only the main ones.
    """
    subject = f"worker {name}"
    config = project.workers[name]
    reached: list[Transport] = []
    yield guarded(f"{subject}: connection", lambda: _check_connection(name, config, reached))
    if not reached:
        return
    (transport,) = reached
    try:
        yield from _on_the_host(transport, subject, config)
        if config.batch is not None:
            yield guarded(f"{subject}: spool", lambda: _check_spool(transport, batch_plan(project, name, config)))
        for environment in (None, *project.exec_config):
            where = f"{subject}: Python" + ("" if environment is None else f" with {environment}")
            yield guarded(
                where,
                lambda at=environment: _check_python(  # type: ignore[misc]
                    transport, config, shell_setup(project, config, at), own, all_packages=all_packages
                ),
            )
    finally:
        transport.close()
    if config.job_limit == 0:
        yield Check(f"{subject}: max_jobs", Outcome.WARNING, "max_jobs is 0: no job will start", "set it to 1 or more")


def _check_connection(name: str, config: WorkerConfig, reached: list[Transport]) -> Check:
    transport = transport_of(name, config)
    health = transport.check()
    if not health.connected:
        transport.close()
        return Check("", Outcome.FAILED, health.message)
    reached.append(transport)
    if not isinstance(transport, SshTransport):
        return ok("", "this machine")
    message = f"{config.host} answers in {(health.round_trip_seconds or 0) * 1000:.0f} ms"
    left = health.certificate_seconds_left
    if left is None:
        return ok("", message)
    message += f"; the certificate is valid for {duration_text(max(0.0, left))} more"
    if left < _SHORT_CERTIFICATE_SECONDS:
        return Check("", Outcome.WARNING, message, "renew it before a long run; jobs wait when it has lapsed")
    return ok("", message)


def _on_the_host(transport: Transport, subject: str, config: WorkerConfig) -> Iterator[Check]:
    work_dir = str(config.work_dir)
    queue = queue_of(config)
    script = (
        f"{PRELUDE}towline_ask clock date +%s\n"
        f"towline_ask work_dir sh -c {shlex.quote(_WRITE)} sh {shlex.quote(work_dir)}\n"
        f"towline_ask disk df -Pk {shlex.quote(work_dir)}\n"
        f"towline_ask inodes df -Pi {shlex.quote(work_dir)}\n"
        f"({queue.check_command()})\n"
    )
    begun_at = time.time()
    try:
        output = transport.run(script).stdout.decode(errors="replace")
    except WorkerError as error:
        yield Check(f"{subject}: host", Outcome.FAILED, str(error))
        return
    middle = (begun_at + time.time()) / 2
    frames = read_frames(output)
    yield from _scheduler_checks(f"{subject}: scheduler {queue.name}", queue.read_check(output))
    yield _checked(f"{subject}: work_dir", _check_work_dir(frames.get("work_dir"), work_dir))
    yield _checked(f"{subject}: disk", _check_disk(frames, work_dir))
    yield _checked(f"{subject}: clock", _check_clock(frames.get("clock"), middle))


def _checked(subject: str, found: Check) -> Check:
    return Check(subject, found.outcome, found.message, found.remedy, found.details)


def _scheduler_checks(subject: str, facts: SchedulerFacts) -> Iterator[Check]:
    for problem in facts.problems:
        message, _, remedy = problem.partition(": ")
        outcome = Outcome.WARNING if facts.version else Outcome.FAILED
        yield Check(subject, outcome, message, remedy or None)
    if facts.version:
        queues = ", ".join(map(_queue, facts.queues[:8]))
        accounts = f"; accounts {', '.join(facts.accounts[:8])}" if facts.accounts else ""
        yield ok(subject, facts.version + (f"; {queues}" if queues else "") + accounts)


def _queue(queue: QueueFacts) -> str:
    limit = f" up to {queue.time_limit}" if queue.time_limit else ""
    return f"{queue.name}{'' if queue.is_open else ' (closed)'}{limit}"


def _check_work_dir(frame: Frame | None, work_dir: str) -> Check:
    if frame is not None and frame.exit_code == 0:
        return ok("", f"{work_dir} can be written")
    said = "no answer" if frame is None else frame.text or f"exit code {frame.exit_code}"
    remedy = f"type: ssh to the worker and look at {work_dir}; or name another work_dir, for example on its scratch"
    return Check("", Outcome.FAILED, f"{work_dir} cannot be written: {said}", remedy)


def _check_spool(transport: Transport, batch: BatchPlan) -> Check:
    """Whether jobs can wait there: entries are put and claimed by rename."""
    done = transport.run(_TRY_SPOOL, arguments=[batch.spool, batch.allocations])
    if done.exit_code != 0:
        message = f"the spool {batch.spool} cannot be used: {done.last_words or f'exit code {done.exit_code}'}"
        remedy = "name folders on a file system that all nodes share with batch.jobs_handle_dir and batch.work_dir"
        return Check("", Outcome.FAILED, message, remedy)
    jobs = "one job for each processor" if batch.parallel_jobs is None else f"{batch.parallel_jobs} jobs at a time"
    waiting = done.stdout.decode(errors="replace").strip() or "0"
    allocations = "1 allocation" if batch.max_allocations == 1 else f"{batch.max_allocations} allocations"
    return ok("", f"{waiting} jobs wait in {batch.spool}; up to {allocations}, {jobs} in each")


def _check_disk(frames: Mapping[str, Frame], work_dir: str) -> Check:
    free = _available(frames.get("disk"))
    if free is None:
        return Check(
            "", Outcome.WARNING, f"df says nothing about {work_dir}", "look at its disk space and quota yourself"
        )
    message = f"{free * 1024 / 1e9:.1f} GB free in {work_dir}"
    inodes = _available(frames.get("inodes"))
    if inodes == 0 and _total(frames.get("inodes")):
        return Check(
            "", Outcome.FAILED, f"no file can be made in {work_dir}: all inodes are in use", "delete some files"
        )
    if free * 1024 < _LITTLE_BYTES:
        return Check("", Outcome.WARNING, message, "free some space before a long run")
    return ok("", message)


def _available(frame: Frame | None) -> int | None:
    words = _last_row(frame)
    return int(words[3]) if len(words) > 3 and words[3].isdigit() else None


def _total(frame: Frame | None) -> int:
    words = _last_row(frame)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def _last_row(frame: Frame | None) -> list[str]:
    lines = [] if frame is None or frame.exit_code else frame.output.strip().splitlines()
    return lines[-1].split() if len(lines) > 1 else []


def _check_clock(frame: Frame | None, middle: float) -> Check:
    said = "" if frame is None else frame.output.strip()
    if not said.isdigit():
        return Check("", Outcome.WARNING, "the host does not tell its time", "type `date` there")
    # Whole seconds are told, so half of one is added.
    off = int(said) + 0.5 - middle
    if abs(off) > _CLOCK_TOLERANCE_SECONDS:
        message = f"the clock of the host differs by {off:.0f} s from the clock of this machine"
        return Check("", Outcome.WARNING, message, "let both machines take the time from the network (NTP)")
    return ok("", "the host and this machine agree about the time")


def _check_python(
    transport: Transport, config: WorkerConfig, setup: ShellSetup, own: Environment, *, all_packages: bool
) -> Check:
    if config.execution_cmd is not None:
        return ok("", f"not tried: Python jobs run with execution_cmd ({config.execution_cmd})")
    python = python_of(config)
    seen = look(transport, python, setup)
    wrong = None if seen.facts is None else mismatch(seen.facts, own_expectation())
    if wrong is not None:
        remedy = f"Python jobs wait until then; commands run. Type: tow worker deploy {transport.name}"
        return Check("", Outcome.FAILED, f"{transport.name} {wrong}", remedy)
    answer = transport.run(in_job_shell(setup, f"exec {shlex.join(probe_words(python, _MODULES))}"))
    environment = read_environment(answer.stdout.decode(errors="replace"))
    if environment is None:
        remedy = f"commands run without; for Python jobs type: tow worker deploy {transport.name}"
        return Check("", Outcome.WARNING, f"{python} does not run Python jobs: {_reason(answer.last_words)}", remedy)
    message = f"Python {environment.python} ({python}) with {len(environment.packages)} packages"
    different = differences(own, environment, None if all_packages else MAIN_PACKAGES)
    if different:
        remedy = (
            "jobs may read and write other data than you do; to have the same versions there type: "
            f"tow worker deploy {transport.name}"
        )
        return Check("", Outcome.WARNING, f"{message}; different: {', '.join(different[:10])}", remedy)
    return ok("", message)


def _reason(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
