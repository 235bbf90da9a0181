"""Files on their way from one worker to another: fetched once by this machine, checked, staged where jobs find them.

They go into the folder of staged inputs of the worker, under their checksums, so that what is there does not come
again. Each way between two workers has a thread of its own, which goes on for as long as somebody waits: a worker that
cannot be reached is no failure of a job.
"""

import hashlib
import logging
import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from towline.configuration.hosts import host_of
from towline.configuration.model import Project
from towline.core.ports import Delivery
from towline.core.records import FileElsewhere
from towline.errors import ConnectionFailed, OutcomeUnknown, TowlineError, TransferFailed
from towline.operations.workers import transport_of
from towline.workers.staging import STAGE_FOLDER, stage
from towline.workers.transports.shell_text import path_text
from towline.workers.transports.transport import Transport

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0

#: Says which checksums are there under whatever permissions; what is there counts as used today.
_PRESENT = """\
cd -- {root} 2>/dev/null || exit 0
for sum do for file in "${{sum%"${{sum#??}}"}}/$sum".*; do
case $file in *.towline-part) continue ;; esac
if [ -f "$file" ]; then touch -c -- "$file"; printf '%s %s %s\\n' "$sum" "$(wc -c <"$file")" "$file"; fi
done; done"""


class Changed(TowlineError):
    """A file is not any more what its job left."""


class _Delivery:
    """Files on one way; the thread of that way writes, the runner reads."""

    def __init__(self, files: Sequence[FileElsewhere]) -> None:
        self.files = files
        self.is_wanted = True
        self.problem: str | None = None
        self._places: Mapping[str, str] | None = None
        self._error: TowlineError | None = None

    @property
    def reason(self) -> str:
        """What is being done."""
        size = sum(file.size_bytes for file in self.files) / 1e6
        workers = ", ".join(sorted({file.worker for file in self.files}))
        what = f"{len(self.files)} {'file' if len(self.files) == 1 else 'files'} ({size:.1f} MB) from {workers}"
        return f"brings {what}" + (f": {self.problem}" if self.problem else "")

    def done(self) -> bool:
        """Whether they are there, or cannot come."""
        return self._places is not None or self._error is not None

    def places(self) -> Mapping[str, str]:
        """Where each of them is now."""
        if self._error is not None:
            raise self._error
        return self._places or {}

    def give_up(self) -> None:
        """Nobody waits for them any more."""
        self.is_wanted = False

    def arrive(self, places: Mapping[str, str]) -> None:
        """They are there."""
        self._places = places

    def fail(self, error: TowlineError) -> None:
        """They cannot come."""
        self._error = error


class WorkerCouriers:
    """The ways between the workers of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._lanes: dict[tuple[str, ...], list[_Delivery]] = {}

    def are_needed(self, source: str, target: str) -> bool:
        """Whether two workers are on different hosts, as far as the project says."""
        workers = self._project.workers
        if source == target or target not in workers:
            return False
        return source not in workers or host_of(workers[source]) != host_of(workers[target])

    def bring(self, files: Sequence[FileElsewhere], target: str) -> Delivery:
        """Begin to bring files to a worker."""
        delivery = _Delivery(files)
        lane = (target, *sorted({file.worker for file in files}))
        with self._lock:
            if lane in self._lanes:
                self._lanes[lane].append(delivery)
                return delivery
            self._lanes[lane] = [delivery]
        # It ends with the process: what was cut goes on when the job is claimed again.
        threading.Thread(target=self._work, args=(lane,), name=f"files for {target}", daemon=True).start()
        return delivery

    def _work(self, lane: tuple[str, ...]) -> None:
        transports: dict[str, Transport] = {}
        pause_seconds = _FIRST_PAUSE_SECONDS
        while waiting := self._next(lane):
            try:
                _Way(self._project, lane[0], transports).bring(waiting)
                pause_seconds = _FIRST_PAUSE_SECONDS
            except (ConnectionFailed, OutcomeUnknown) as error:
                for delivery in waiting:
                    delivery.problem = str(error)
                logger.warning("files for the worker %s: %s; tried again in %.0f s", lane[0], error, pause_seconds)
                time.sleep(pause_seconds)
                pause_seconds = min(_LONGEST_PAUSE_SECONDS, 2 * pause_seconds)
            except TowlineError as error:
                for delivery in waiting:
                    delivery.fail(error)
        for transport in transports.values():
            transport.close()

    def _next(self, lane: tuple[str, ...]) -> list[_Delivery]:
        """Those that are not done; the way ends when there is none."""
        with self._lock:
            waiting = [item for item in self._lanes[lane] if item.is_wanted and not item.done()]
            if waiting:
                self._lanes[lane] = waiting
            else:
                del self._lanes[lane]
            return waiting


class _Way:
    """The way to a worker."""

    def __init__(self, project: Project, target: str, transports: dict[str, Transport]) -> None:
        self._project = project
        self._target = target
        self._work_dir = str(project.worker(target)[1].work_dir)
        self._transports = transports

    def bring(self, deliveries: Sequence[_Delivery]) -> None:
        """Bring all of them, each file once; asked together what of it is there."""
        places = self._there({file.path: file for delivery in deliveries for file in delivery.files})
        for delivery in deliveries:
            try:
                for file in delivery.files:
                    if file.path not in places:
                        places[file.path] = self._moved(file)
                delivery.arrive({file.path: places[file.path] for file in delivery.files})
            except (ConnectionFailed, OutcomeUnknown):
                raise
            except TowlineError as error:
                delivery.fail(error)
            except OSError as error:
                delivery.fail(TransferFailed(f"a file cannot be kept on this machine: {error}"))

    def _there(self, files: Mapping[str, FileElsewhere]) -> dict[str, str]:
        """Where those files are that the worker has already, by their paths on the worker that they came from."""
        places = self._present(list(files.values()))
        missing = [path for path in files if path not in places]
        if missing:
            # Two names of one file system: nothing has to move.
            sums = self._transport(self._target).checksums(missing)
            places |= {path: path for path in missing if sums.get(path) == files[path].sha256}
        return places

    def _present(self, files: Sequence[FileElsewhere]) -> dict[str, str]:
        root = f"{self._work_dir}/{STAGE_FOLDER}"
        sums = shlex.join(sorted({file.sha256 for file in files}))
        done = self._transport(self._target).run(f"set -- {sums}\n{_PRESENT.format(root=path_text(root))}")
        lines = [line.split(" ", 2) for line in done.stdout.decode(errors="replace").splitlines()]
        there = {(words[0], int(words[1])): f"{root}/{words[2]}" for words in lines if len(words) == 3}
        return {
            file.path: there[file.sha256, file.size_bytes] for file in files if (file.sha256, file.size_bytes) in there
        }

    def _moved(self, file: FileElsewhere) -> str:
        _, source = self._project.worker(file.worker)
        if source.type == "local":
            return self._staged(file, Path(file.path))
        folder = self._project.tmp_dir / "couriers"
        folder.mkdir(parents=True, exist_ok=True)
        # Of the same name each time, so that what was cut goes on; another way may bring the same file meanwhile.
        here = folder / f"{file.sha256}.{hashlib.sha256(self._target.encode()).hexdigest()[:8]}"
        self._transport(file.worker).fetch_file(file.path, here, verify=True)
        try:
            return self._staged(file, here)
        finally:
            here.unlink(missing_ok=True)

    def _staged(self, file: FileElsewhere, here: Path) -> str:
        with here.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != file.sha256:
            raise Changed(
                f"{file.path} on the worker {file.worker} is not what its job left there; run that job again, or put "
                "the file back"
            )
        return stage(self._transport(self._target), self._work_dir, [here], patience_seconds=0)[here]

    def _transport(self, worker: str) -> Transport:
        if worker not in self._transports:
            self._transports[worker] = transport_of(*self._project.worker(worker))
        return self._transports[worker]


def couriers_of(project: Project) -> WorkerCouriers | None:
    """What brings files between the workers of a project; None where all of them are on one host."""
    return WorkerCouriers(project) if len({host_of(worker) for worker in project.workers.values()}) > 1 else None
