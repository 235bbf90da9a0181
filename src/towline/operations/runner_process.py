"""The runner as a process: ``python -m towline.operations.runner_process [--project NAME] [--log-level LEVEL]``."""

import argparse
import getpass
import logging
import logging.handlers
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from towline.configuration.changes import changed_keys, needs_restart
from towline.configuration.choice import load_project
from towline.configuration.files import project_stamp
from towline.configuration.model import Project
from towline.errors import ConfigurationError, LeaseLost, RunnerAlreadyActive, RunnerKilled, TowlineError
from towline.operations.hooks import Hooks
from towline.operations.processes import process_started_at, runs
from towline.operations.runner_setup import runner_setup
from towline.runner.loop import Loop
from towline.runner.setup import Setup
from towline.runner.signs_of_life import LEASE_SECONDS
from towline.runner.wake import Alarm
from towline.store import leases
from towline.store.database import Database

logger = logging.getLogger("towline.runner")

_LOG_BYTES = 5_000_000
_LOG_FILES = 5

#: Exit codes; :mod:`towline.runner.supervisor` does not start a runner again after the last two.
EXIT_CRASHED = 1
EXIT_CONFIGURATION = 2
EXIT_NOT_THE_RUNNER = 3

_LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


@contextmanager
def running(project: Project, only_job_id: int | None = None) -> Iterator[Loop]:
    """A runner of `project` in this process: with the lease, its workers, and everything let go at the end.

    Raises
    ------
    RunnerAlreadyActive
        Another runner has the lease.
    """
    database = Database(project.queue_place, actor="runner")
    database.db_id_prefix = project.queue.db_id_prefix or ""
    host = socket.gethostname()
    try:
        with database.transaction() as transaction:
            runner_id = leases.acquire(
                transaction,
                host=host,
                user_name=getpass.getuser(),
                pid=os.getpid(),
                process_started_at=process_started_at(os.getpid()),
                lease_seconds=LEASE_SECONDS,
                is_gone=lambda record: record.host == host and not runs(record.pid, record.process_started_at),
            )
        database.actor = f"runner {runner_id}"
        alarm = Alarm(project.daemon_dir)
        setup, hooks = runner_setup(project), Hooks(project)
        loop = Loop(database, setup, runner_id, alarm, _reloader(project, setup, hooks), only_job_id)
        try:
            yield loop
        finally:
            loop.close()
            hooks.close()
            alarm.close()
    finally:
        database.close()


def _reloader(project: Project, setup: Setup, hooks: Hooks) -> Callable[[], Setup | None]:
    """Looks whether the project file changed, and makes a new setup then; a file that is wrong changes nothing."""
    # It may have changed since it was read, so that the first look reads it again.
    stamp: tuple[int, ...] | None = None
    present, known = setup, project

    def reload() -> Setup | None:
        nonlocal stamp, present, known
        newest = project_stamp(project)
        if newest == stamp:
            return None
        is_first, stamp = stamp is None, newest
        try:
            changed = load_project(project.name)
            if is_first and changed == known:
                return None
            present = runner_setup(changed, present)
            hooks.use(changed)
        except ConfigurationError as error:
            logger.error("the changed configuration is not used: %s", error)
            return None
        _log_changes(known, changed)
        known = changed
        return present

    return reload


def _log_changes(before: Project, after: Project) -> None:
    keys = changed_keys(before, after)
    later = [key for key in keys if needs_restart(key)]
    logger.info("the configuration changed: %s", ", ".join(keys) or "the file, and no value in it")
    if later:
        logger.warning("%s: used from the next start of the runner on; type: tow runner restart", ", ".join(later))
    for name in before.workers.keys() - after.workers.keys():
        logger.warning("the worker %s is not configured any more: it gets no new jobs; those it has are watched", name)


def main(arguments: list[str] | None = None) -> int:
    """Run until asked to stop; return the exit code."""
    parser = argparse.ArgumentParser(prog="towline-runner", description="The runner of a towline project.")
    parser.add_argument("--project")
    parser.add_argument("--log-level", choices=sorted(_LEVELS), default=None)
    options = parser.parse_args(arguments)
    try:
        project = load_project(options.project)
    except ConfigurationError as error:
        return _refuse(error, EXIT_CONFIGURATION)
    with logging_to(project, options.log_level):
        return _run(project)


def _run(project: Project) -> int:
    try:
        with running(project) as loop:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: loop.request_stop())
            logger.info("runs the project %s, pid %d", project.name, os.getpid())
            try:
                loop.run()
            except RunnerKilled as error:
                # At once means: no connection is closed in order. An exit code of its own keeps the supervisor from
                # starting it again.
                _refuse(error, EXIT_NOT_THE_RUNNER)
                logging.shutdown()
                os._exit(EXIT_NOT_THE_RUNNER)
            logger.info("stops; jobs that run go on")
    except (RunnerAlreadyActive, LeaseLost) as error:
        return _refuse(error, EXIT_NOT_THE_RUNNER)
    except ConfigurationError as error:
        return _refuse(error, EXIT_CONFIGURATION)
    except TowlineError as error:
        return _refuse(error, EXIT_CRASHED)
    # Whatever it was, the next runner goes on from the database; the log says what to report.
    except Exception:
        logger.exception("the runner crashed")
        return EXIT_CRASHED
    return 0


def _refuse(error: TowlineError, exit_code: int) -> int:
    logger.error("%s", error)
    print(error, file=sys.stderr)
    return exit_code


@contextmanager
def logging_to(project: Project, level: str | None = None) -> Iterator[None]:
    """What a runner in this process says goes into the log of the project.

    Parameters
    ----------
    level
        error, warn, info or debug; as the project says when None.
    """
    path = project.log_dir / "runner.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    formatter.converter = time.localtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(_LEVELS[level or project.log_level])
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        handler.close()


if __name__ == "__main__":
    sys.exit(main())
