"""The worker that is this machine, with the shell as its scheduler."""

import logging
import shutil
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towline.core.ports import Step
from towline.core.records import Assignment, ExitRecord, Failure, Observation
from towline.core.run_folder import OWN_FILES, may_be_deleted
from towline.errors import InvalidRequest
from towline.on_worker.attempts import Mode
from towline.workers.pilot_link import PilotLink, PilotWish
from towline.workers.plans import plan
from towline.workers.uploads import upload

logger = logging.getLogger(__name__)

#: Modules that jobs need, imported once by the pilot of a worker that does not start every job cold.
DEFAULT_PRELOAD = ("jobflow", "towline.jobflow.payload")

#: An end that was not acknowledged is told again after this time.
_TELL_AGAIN_SECONDS = 10.0


@dataclass(slots=True)
class _Flight:
    """An attempt that is with the pilot, or on its way there."""

    #: What the pilot is told; after an adoption not enough to submit the attempt.
    message: dict[str, Any]
    package: bytes | None
    #: Whether it was adopted, so that the runner has to hand it over again if it never started.
    adopted: bool = False
    started: bool = False
    #: ``<process id>@<machine>``, when it was started on another machine.
    elsewhere: str | None = None


class LocalWorker:
    """Runs jobs on this machine, by way of a pilot that goes on when the runner ends.

    Parameters
    ----------
    work_dir
        Folder for the run folders; the paths in the assignments lie in it.
    state_dir
        Folder for the pilot: its log, its locks and its journals.
    slots
        How many jobs run at the same time.
    execution
        How jobs run that ask for nothing else: `warm` (in a fork of the pilot), `cold` (in a new Python) or `pooled`
        (in processes that live on, without run folder).
    preload
        Modules that the pilot imports, besides those that every job needs.
    idle_seconds
        The pilot ends after this time without anything to do; the next job starts another one.
    grace_seconds
        Between SIGTERM and SIGKILL, when a job has to end.
    python
        Interpreter of the pilot and of jobs.
    execution_cmd
        Shell line that runs Python jobs in place of the interpreter; ``{}`` in it is the run folder.
    """

    def __init__(
        self,
        *,
        name: str,
        work_dir: Path,
        state_dir: Path,
        slots: int,
        execution: str = "warm",
        preload: Sequence[str] = (),
        idle_seconds: float = 300.0,
        grace_seconds: float = 2.0,
        python: str = sys.executable,
        execution_cmd: str | None = None,
    ) -> None:
        self.name = name
        self._work_dir = work_dir
        self._execution = execution
        self._execution_cmd = execution_cmd
        modules = () if execution == "cold" else (*DEFAULT_PRELOAD, *preload)
        self._wish = PilotWish(state_dir.absolute(), python, modules, idle_seconds, grace_seconds)
        self._link = PilotLink(self._wish, slots)
        self._flights: dict[str, _Flight] = {}
        #: Attempts that wait for a pilot, in this order.
        self._unsent: list[str] = []
        #: Attempts that are to end, until the pilot says that nothing is left of them.
        self._cancellations: dict[str, dict[str, Any]] = {}
        self._observations: deque[Observation] = deque()
        #: Ends that were told, when, and not acknowledged.
        self._unacknowledged: dict[str, tuple[float, Observation]] = {}

    def same_as(self, other: "LocalWorker") -> bool:
        """Whether this worker does what `other` does, the number of slots left aside."""
        mine = (self.name, self._work_dir, self._execution, self._execution_cmd, self._wish)
        return mine == (other.name, other._work_dir, other._execution, other._execution_cmd, other._wish)

    def set_slots(self, slots: int) -> None:
        """Change how many jobs run at the same time."""
        self._link.slots = slots
        self._link.send({"slots": slots})

    def advance(self, step: Step, assignments: Sequence[Assignment]) -> None:
        """Begin `step` for all `assignments`; what came of it is told by :meth:`observe`."""
        if step is Step.UPLOAD:
            for assignment in assignments:
                self._upload(assignment)
        elif step is Step.SUBMIT:
            for assignment in assignments:
                self._submit(assignment)
            self._send_unsent()
        elif step is Step.CANCEL:
            self._cancel(assignments)
        else:
            # What a job leaves is on this machine already.
            for assignment in assignments:
                self._tell(assignment.key, "downloaded")

    def observe(self) -> Sequence[Observation]:
        """Everything that happened since the last call."""
        for header, attachments in self._link.poll(wanted=self._needs_pilot()):
            if "pilot" in header:
                self._resume()
            elif "observations" in header:
                self._read(header["observations"], attachments)
        if self._link.resting and self._link.problem is not None:
            self._give_up(self._link.problem)
        if not self._flights:
            self._link.replace_if_outdated()
        self._tell_again()
        told = list(self._observations)
        self._observations.clear()
        return told

    def acknowledge(self, keys: Sequence[str]) -> None:
        """The ends of these attempts are stored; the pilot forgets them."""
        known = [key for key in keys if self._unacknowledged.pop(key, None) is not None]
        if known:
            self._link.send({"acknowledge": known})

    def adopt(self, assignments: Sequence[Assignment]) -> None:
        """Find out what became of attempts that an earlier runner handed over."""
        for assignment in assignments:
            self._flights[assignment.key] = _Flight(_adoption(assignment), None, adopted=True)
        if self._link.ready:
            self._send_adoptions([assignment.key for assignment in assignments])

    def delete(self, run_dirs: Sequence[str]) -> None:
        """Delete run folders of attempts that have ended, as far as they are where such folders are, and ours."""
        for folder in map(Path, run_dirs):
            possible = may_be_deleted(str(folder), str(self._work_dir)) and not folder.is_symlink()
            if possible and any((folder / name).exists() for name in OWN_FILES):
                shutil.rmtree(folder, onerror=lambda _, path, error: logger.warning("%s stays: %s", path, error[1]))

    def file_descriptors(self) -> Sequence[int]:
        """What becomes readable when :meth:`observe` has something to tell."""
        return self._link.file_descriptors()

    def next_look_seconds(self) -> float | None:
        """Seconds until :meth:`observe` should be called without anything to read."""
        if self._observations:
            return 0.0
        if self._link.asleep and self._needs_pilot():
            return 0.0
        looks = [self._link.next_look_seconds()]
        if self._unacknowledged:
            looks.append(_TELL_AGAIN_SECONDS)
        return min((seconds for seconds in looks if seconds is not None), default=None)

    def status(self) -> Mapping[str, Any]:
        """Whether the pilot answers, or would, and why not, its process id, and how many jobs run and wait."""
        running = sum(flight.started for flight in self._flights.values())
        return {
            "connected": self._link.ready or self._link.asleep,
            "problem": self._link.problem,
            "pilot_process_id": self._link.facts.get("pid") if self._link.ready else None,
            "running": running,
            "waiting": len(self._flights) - running,
            "elsewhere": {
                key: flight.elsewhere for key, flight in self._flights.items() if flight.elsewhere is not None
            },
        }

    def close(self) -> None:
        """Let go of the pilot. Jobs go on running."""
        self._link.close()

    def end_pilot(self) -> None:
        """Ask the pilot to end, which it does when nothing runs; the next job starts another one."""
        self._link.send({"end": True})

    def _needs_pilot(self) -> bool:
        # The first one is started before there is work, to be warm when it comes.
        return not self._link.asleep or bool(self._flights or self._cancellations)

    def _upload(self, assignment: Assignment) -> None:
        try:
            how = plan(assignment, self._execution, self._execution_cmd)
            if how.mode is not Mode.POOL:
                upload(assignment, how, self._wish.python, self._execution_cmd)
        except InvalidRequest as error:
            self._fail_step(assignment.key, f"{assignment.name}: {error}", may_retry=False)
        except OSError as error:
            message = f"the run folder {assignment.run_dir} cannot be prepared: {error}"
            self._fail_step(assignment.key, message, may_retry=not isinstance(error, FileNotFoundError))
        else:
            self._tell(assignment.key, "uploaded")

    def _submit(self, assignment: Assignment) -> None:
        try:
            message = plan(assignment, self._execution, self._execution_cmd).message(assignment)
        except InvalidRequest as error:
            # Told at the upload already.
            self._fail_step(assignment.key, f"{assignment.name}: {error}", may_retry=False)
            return
        package = assignment.package if message["has_package"] else None
        self._flights[assignment.key] = _Flight(message, package)
        self._unsent.append(assignment.key)
        self._tell(assignment.key, "submitted", process_id=assignment.key)

    def _send_unsent(self) -> None:
        if self._link.ready and self._unsent:
            self._send_submissions([key for key in self._unsent if key in self._flights])
            self._unsent.clear()

    def _send_submissions(self, keys: Sequence[str]) -> None:
        flights = [self._flights[key] for key in keys]
        packages = [flight.package for flight in flights if flight.package is not None]
        self._link.send({"submit": [flight.message for flight in flights]}, packages)

    def _send_adoptions(self, keys: Sequence[str]) -> None:
        self._link.send({"adopt": [self._flights[key].message for key in keys]})

    def _cancel(self, assignments: Sequence[Assignment]) -> None:
        for assignment in assignments:
            self._cancellations[assignment.key] = {
                "key": assignment.key,
                "run_dir": assignment.run_dir,
                "payload_kind": assignment.payload_kind,
            }
            if assignment.key in self._unsent:
                self._unsent.remove(assignment.key)
                del self._flights[assignment.key]
        if self._link.ready:
            self._send_cancellations([assignment.key for assignment in assignments])

    def _send_cancellations(self, keys: Sequence[str]) -> None:
        if keys:
            self._link.send({"cancel": [self._cancellations[key] for key in keys]})

    def _resume(self) -> None:
        """A pilot is there: tell it again what it, or the one before it, was told."""
        self._send_cancellations(list(self._cancellations))
        waiting = {*self._unsent, *self._cancellations}
        before = [key for key in self._flights if key not in waiting]
        for key in before:
            self._flights[key].message["again"] = True
            self._flights[key].started = False
        adopted = [key for key in before if self._flights[key].adopted]
        if adopted:
            self._send_adoptions(adopted)
        submitted = [key for key in before if not self._flights[key].adopted]
        if submitted:
            self._send_submissions(submitted)
        self._send_unsent()

    def _read(self, items: Sequence[Mapping[str, Any]], results: Sequence[bytes]) -> None:
        rest = iter(results)
        for item in items:
            result = next(rest) if item.get("has_result") else None
            self._read_one(item, result)

    def _read_one(self, item: Mapping[str, Any], result: bytes | None) -> None:
        key, event = item["key"], item["event"]
        flight = self._flights.get(key)
        if event == "started" and flight is not None:
            if flight.started:
                return
            flight.started = True
            flight.elsewhere = item["process_id"] if item.get("is_elsewhere") else None
        elif event in ("ended", "returned", "cancelled", "step_failed"):
            self._flights.pop(key, None)
        if event == "cancelled":
            self._cancellations.pop(key, None)
        if event == "ended" and key in self._unacknowledged:
            return
        exit_record, failure = item.get("exit"), item.get("failure")
        observation = Observation(
            key,
            event,
            item["at"],
            process_id=item.get("process_id"),
            exit=None if exit_record is None else ExitRecord(**exit_record),
            result=result,
            failure=None if failure is None else Failure(**failure),
        )
        if event == "ended":
            self._unacknowledged[key] = (time.monotonic(), observation)
        self._observations.append(observation)

    def _give_up(self, problem: str) -> None:
        """There is no pilot: what was not sent to one can be tried again later, what was sent is unknown."""
        for key in self._unsent:
            if self._flights.pop(key, None) is not None:
                self._fail_step(key, problem, may_retry=True)
        self._unsent.clear()

    def _tell_again(self) -> None:
        now = time.monotonic()
        for key, (told_at, observation) in self._unacknowledged.items():
            if now - told_at > _TELL_AGAIN_SECONDS:
                self._unacknowledged[key] = (now, observation)
                self._observations.append(observation)

    def _fail_step(self, key: str, message: str, *, may_retry: bool) -> None:
        failure = Failure("error", f"worker {self.name}: {message}")
        self._observations.append(Observation(key, "step_failed", time.time(), failure=failure, may_retry=may_retry))

    def _tell(self, key: str, event: str, process_id: str | None = None) -> None:
        self._observations.append(Observation(key, event, time.time(), process_id=process_id))


def _adoption(assignment: Assignment) -> dict[str, Any]:
    try:
        limit = plan(assignment, "warm").resources.time_limit
    except InvalidRequest:
        limit = None
    return {
        "key": assignment.key,
        "run_dir": assignment.run_dir,
        "payload_kind": assignment.payload_kind,
        "time_limit_seconds": limit,
    }
