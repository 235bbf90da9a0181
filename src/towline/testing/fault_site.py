"""A place for faults: a host or a cluster behind a proxy, gates in its programs, and a runner that can be killed."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from towline import command
from towline.operations.compose import OpenProject, open_project
from towline.testing.debian import JOB_USER, server_folder
from towline.testing.flaky_proxy import FlakyProxy, flaky_proxy
from towline.testing.gates import Gates
from towline.testing.remote_project import RemoteProject
from towline.testing.slurm_cluster import ACCOUNT, SlurmCluster
from towline.testing.sshd import Server, SshSite, require_sshd, ssh_site
from towline.testing.waiting import wait_until

#: What each job brings along, and what its result has: enough for a connection to be cut in the middle of it.
_BALLAST_BYTES = 40_000
_FINAL = frozenset({"COMPLETED", "FAILED", "REMOTE_ERROR", "PAUSED"})

_SCRIPT = """
echo "$NUMBER begin $TOWLINE_RUN_DIR" >>"$PLACE/trace"
until [ -e "$PLACE/go" ]; do sleep 0.2; done
echo "$NUMBER end $TOWLINE_RUN_DIR" >>"$PLACE/trace"
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs that leave a line when they really run, and go on when they are told to."""

    ids: tuple[str, ...]
    place: Path

    def go(self) -> None:
        """Let them end."""
        (self.place / "go").touch()

    def lines(self, word: str) -> list[tuple[str, str]]:
        """Number of the job and run folder of every line with that word."""
        found = [line.split() for line in (self.place / "trace").read_text().splitlines()]
        return [(number, folder) for number, said, folder in found if said == word]


@dataclass(frozen=True, slots=True)
class Losses:
    """What a fault did to the jobs of a batch."""

    jobs: int = 0
    #: COMPLETED without having run to the end.
    lost: int = 0
    #: Begun or ended more than once, but for attempts that the fault ended.
    run_twice: int = 0
    #: FAILED.
    wrongly_failed: int = 0
    #: REMOTE_ERROR, or not at an end in time.
    needing_a_hand: int = 0

    def __add__(self, other: "Losses") -> "Losses":
        return Losses(*(getattr(self, name) + getattr(other, name) for name in Losses.__dataclass_fields__))

    @property
    def none(self) -> bool:
        """Whether it did them no harm."""
        return not (self.lost or self.run_twice or self.wrongly_failed or self.needing_a_hand)


class FaultSite:
    """Where faults are made; see :func:`fault_site`."""

    def __init__(
        self, scheduler: str, site: SshSite, server: Server, proxy: FlakyProxy, gates: Gates, place: Path, home: Path
    ) -> None:
        self.scheduler = scheduler
        self.server = server
        self.proxy = proxy
        self.gates = gates
        #: The cluster; a host without a scheduler has none.
        self.cluster: SlurmCluster | None = None
        self.chance = random.Random(1)
        self._place = place
        self._batches = 0
        self._runner: subprocess.Popen[bytes] | None = None
        worker = {
            "type": "remote",
            "scheduler_type": scheduler,
            "host": server.name,
            "port": proxy.port,
            "keepalive": 2,
            "ssh_config": str(site.config),
            "work_dir": str(place / "jobs"),
            # Else /etc/profile sets the PATH, without the gates.
            "login_shell": False,
            "max_jobs": 50,
            **({"resources": {"account": ACCOUNT}} if scheduler == "slurm" else {}),
        }
        self.project = RemoteProject(home, {"far": worker})
        self.opened: OpenProject = open_project()

    # The runner

    def start_runner(self) -> None:
        """Start the runner."""
        self._runner = self.project.start_runner()

    def kill_runner(self) -> None:
        """End it without a word."""
        self._end_runner(signal.SIGKILL)

    def stop_runner(self) -> None:
        """End it as `tow runner stop` does."""
        self._end_runner(signal.SIGTERM)

    def _end_runner(self, number: signal.Signals) -> None:
        if self._runner is not None:
            self._runner.send_signal(number)
            self._runner.wait(30)
            self._runner = None

    # Jobs

    def submit(self, jobs: int, *, retry: "dict[str, int] | None" = None) -> Batch:
        """Submit a batch."""
        self._batches += 1
        place = self._place / f"batch{self._batches}"
        place.mkdir()
        (place / "trace").touch()
        for path in (place, place / "trace"):
            shutil.chown(path, JOB_USER)
        ids = []
        for number in range(jobs):
            # Nothing that could be sent in fewer bytes, or that an earlier job has brought already.
            ballast = f"energy {number}\n{self.chance.randbytes(_BALLAST_BYTES // 2).hex()}\n"
            job = command(
                _SCRIPT,
                inputs={"ballast": ballast},
                values={"energy": {"file": "ballast", "pattern": r"energy (\d+)"}},
                environment={"NUMBER": str(number), "PLACE": str(place)},
                retry=retry,
            )
            ids += self.project.submit(job)
        return Batch(tuple(ids), place)

    def states(self, batch: Batch) -> list[str]:
        """States of its jobs."""
        rows = self.opened.database.read(f"SELECT state FROM job WHERE id IN ({', '.join(batch.ids)})")
        return [state for (state,) in rows]

    def wait_for_states(self, batch: Batch, *wanted: str, seconds: float = 60.0) -> None:
        """Wait until all jobs are in one of these states."""
        wait_until(lambda: set(self.states(batch)) <= set(wanted), seconds, f"{wanted}, not {self.states(batch)},")

    def wait_for_any(self, batch: Batch, *wanted: str, seconds: float = 60.0) -> None:
        """Wait until a job is in one of these states."""
        wait_until(lambda: set(self.states(batch)) & set(wanted), seconds, f"{wanted}, not {self.states(batch)},")

    def wait_for_exit_records(self, batch: Batch, seconds: float = 60.0) -> None:
        """Wait until all jobs have told their end on the other side."""
        folders = {folder for _, folder in batch.lines("begin")}
        wait_until(lambda: all(Path(one, "towline_exit.json").exists() for one in folders), seconds, "exit records")

    def last_event(self) -> int:
        """Number of the newest line of the journal."""
        ((number,),) = self.opened.database.read("SELECT coalesce(max(id), 0) FROM event")
        return int(number)

    def seconds_to_go_on(self, seconds: float) -> float:
        """Seconds from now to the next line of the journal."""
        begun_at, last = time.monotonic(), self.last_event()
        wait_until(lambda: self.last_event() > last, seconds, "news of any job")
        return time.monotonic() - begun_at

    def finish(self, batch: Batch, seconds: float) -> Losses:
        """Let all jobs end, wait for them, and say what became of them."""
        batch.go()
        with suppress(AssertionError):
            wait_until(lambda: set(self.states(batch)) <= _FINAL, seconds)
        return self._losses(batch)

    def _losses(self, batch: Batch) -> Losses:
        rows = self.opened.database.read(f"SELECT id, state FROM job WHERE id IN ({', '.join(batch.ids)})")
        states = {str(number): state for number, state in rows}
        begun = Counter(number for number, _ in batch.lines("begin"))
        ended = Counter(number for number, _ in batch.lines("end"))
        lost = twice = 0
        for number, db_id in enumerate(batch.ids):
            lost += states.get(db_id, "COMPLETED") == "COMPLETED" and not ended[str(number)]
            twice += ended[str(number)] > 1 or begun[str(number)] > 1 + self._attempts_ended_by_nodes(db_id, begun)
        said = list(states.values())
        unfinished = sum(state not in ("COMPLETED", "FAILED") for state in said)
        return Losses(len(batch.ids), lost, twice, said.count("FAILED"), unfinished)

    def _attempts_ended_by_nodes(self, db_id: str, begun: "Counter[str]") -> int:
        if max(begun.values(), default=0) <= 1:
            return 0
        earlier = self.project.info(db_id).earlier_attempts
        return sum((attempt.outcome or {}).get("reason") == "node_failure" for attempt in earlier)

    def explain(self, batch: Batch) -> str:
        """Everything about jobs that are not COMPLETED, for whoever looks for the cause."""
        told = [self.project.tow("job", "info", one) for one in batch.ids]
        said = [text for text in told if "COMPLETED" not in text]
        return "\n".join([*said, (batch.place / "trace").read_text(), self.project.tow("worker", "list")])

    def close(self) -> None:
        """End the runner, and everything that waits."""
        self.gates.open_all()
        self.kill_runner()
        self.opened.close()


@contextmanager
def fault_site(scheduler: str, home: Path, cluster: SlurmCluster | None = None) -> Iterator[FaultSite]:
    """A site without a runner.

    Parameters
    ----------
    scheduler
        `shell` or `slurm`.
    home
        TOWLINE_HOME of its project, which becomes that of this process.
    cluster
        A Slurm that runs; without it, one is started for `slurm`.

    Raises
    ------
    NotPossibleHere
        This machine cannot have the servers.
    """
    require_sshd()
    own = SlurmCluster() if scheduler == "slurm" and cluster is None else None
    folder = server_folder("faults")
    before = os.environ.get("TOWLINE_HOME")
    os.environ["TOWLINE_HOME"] = str(home)
    try:
        with _opened(scheduler, home, cluster or own, folder) as site:
            yield site
    finally:
        os.environ.pop("TOWLINE_HOME")
        if before is not None:
            os.environ["TOWLINE_HOME"] = before
        if own is not None:
            own.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(scheduler: str, home: Path, cluster: SlurmCluster | None, folder: Path) -> Iterator[FaultSite]:
    gates = Gates(folder / "gates")
    variables = {"PATH": gates.search_path, **(cluster.environment if cluster is not None else {})}
    with ssh_site(folder / "ssh") as site:
        server = site.add("login", "SetEnv " + " ".join(f"{name}={value}" for name, value in variables.items()) + "\n")
        place = folder / "place"
        place.mkdir()
        shutil.chown(place, JOB_USER)
        with flaky_proxy(server.port, delay_seconds=0.002) as proxy:
            site.know(proxy.port)
            opened = FaultSite(scheduler, site, server, proxy, gates, place, home)
            opened.cluster = cluster
            try:
                yield opened
            finally:
                opened.close()


def total(losses: Sequence[Losses]) -> Losses:
    """All of them together."""
    return sum(losses, Losses())
