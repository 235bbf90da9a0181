"""Faults of everything between a runner and its jobs, each at a moment of its own, with real servers and processes.

A fault takes a site whose runner runs, submits a batch, does its harm at exactly its moment, and mends it. What comes
of the jobs is judged afterwards, by :meth:`towline.testing.fault_site.FaultSite.finish`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from towline.testing.fault_site import Batch, FaultSite, Losses
from towline.testing.flaky_proxy import Way
from towline.testing.waiting import wait_until

_JOBS = 4
#: How long the jobs of a batch may take after a fault was mended. A submission of which nobody knows what became is
#: decided after 90 s.
_PATIENCE_SECONDS = 200.0
_RUNNING = ("RUNNING", "COMPLETED")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one fault."""

    losses: Losses
    #: From the moment when it was mended to the next news of any job.
    seconds: float
    #: Empty when no harm was done.
    explanation: str = ""


def _submitted_at(site: FaultSite, point: str, **options: Any) -> Batch:
    """A batch whose submission has come to a gate."""
    site.gates.close(point)
    batch = site.submit(_JOBS, **options)
    site.gates.wait(point)
    return batch


def _running(site: FaultSite, **options: Any) -> Batch:
    batch = site.submit(_JOBS, **options)
    site.wait_for_states(batch, *_RUNNING)
    return batch


def _ended_unseen(site: FaultSite) -> Batch:
    """A batch that has ended during one look, which stands still, so that the next look finds all of it."""
    batch = _running(site)
    site.gates.close("pack-before")
    site.gates.wait("pack-before")
    batch.go()
    site.wait_for_exit_records(batch)
    return batch


def _at_the_download(site: FaultSite) -> Batch:
    """A batch that has ended, and whose results are about to be sent."""
    batch = _ended_unseen(site)
    site.gates.close("pack-after")
    site.gates.open("pack-before")
    site.gates.wait("pack-after")
    site.gates.close("pack-before")
    site.gates.open("pack-after")
    site.gates.wait("pack-before")
    return batch


# Connections that are cut


def _cut_in_upload(site: FaultSite) -> Batch:
    site.proxy.cut_after(site.chance.randrange(1000, 30_000 * _JOBS), Way.THERE)
    batch = site.submit(_JOBS)
    wait_until(lambda: not site.proxy.cut_is_due, 30, "the cut in the upload")
    return batch


def _cut_in_submission(site: FaultSite) -> Batch:
    points = ("sbatch-before", "sbatch-after") if site.cluster else ("unpack-after", "start-before")
    point = site.chance.choice(points)
    batch = _submitted_at(site, point)
    site.proxy.cut()
    site.gates.open(point)
    return batch


def _cut_in_poll(site: FaultSite) -> Batch:
    batch = _running(site)
    point = site.chance.choice(("pack-before", "pack-after", *(("squeue-before",) if site.cluster else ())))
    site.gates.close(point)
    site.gates.wait(point, 60)
    site.proxy.cut()
    site.gates.open(point)
    return batch


def _cut_in_download(site: FaultSite) -> Batch:
    batch = _at_the_download(site)
    site.proxy.cut_after(site.chance.randrange(1000, 30_000 * _JOBS), Way.BACK)
    site.gates.open("pack-before")
    wait_until(lambda: not site.proxy.cut_is_due, 30, "the cut in the download")
    return batch


# Servers that go away


def _at_any_moment(site: FaultSite) -> "tuple[Batch, str]":
    """A batch at its submission, running, or ended, and the gate where it stands."""
    moment = site.chance.choice(("submission", "running", "ended"))
    if moment == "submission":
        point = "sbatch-before" if site.cluster else "unpack-after"
        return _submitted_at(site, point), point
    if moment == "running":
        return _running(site), ""
    return _at_the_download(site), "pack-before"


def _sshd_stopped(site: FaultSite) -> Batch:
    batch, point = _at_any_moment(site)
    site.server.crash()
    if point:
        site.gates.open(point)
    time.sleep(site.chance.uniform(0.0, 1.0))
    site.server.start()
    return batch


def _controller_restarted(site: FaultSite) -> Batch:
    assert site.cluster is not None
    batch, point = _at_any_moment(site)
    site.cluster.stop_controller()
    if point:
        site.gates.open(point)
    time.sleep(site.chance.uniform(0.0, 1.0))
    site.cluster.start_controller()
    return batch


def _node_set_down(site: FaultSite) -> Batch:
    assert site.cluster is not None
    batch = _running(site, retry={"node_failure": 3})
    nodes = site.cluster.administer("squeue --noheader --states=running --format=%N").split()
    node = site.chance.choice(sorted(set(nodes)))
    site.cluster.administer(f"scontrol update NodeName={node} State=down Reason=fault")
    site.cluster.administer(f"scontrol update NodeName={node} State=resume || true")
    return batch


# Runners that are killed


def _kill(site: FaultSite) -> None:
    site.kill_runner()
    site.start_runner()


def _killed_when_claimed(site: FaultSite) -> Batch:
    site.proxy.blackhole()
    batch = site.submit(_JOBS)
    site.wait_for_any(batch, "CHECKED_OUT")
    site.kill_runner()
    site.proxy.cut()
    site.proxy.blackhole(False)
    site.start_runner()
    return batch


def _killed_at(point: str) -> Callable[[FaultSite], Batch]:
    def strike(site: FaultSite) -> Batch:
        batch = _submitted_at(site, point)
        site.kill_runner()
        # What the dead runner had begun goes on before the next one comes, beside it, or after it.
        moment = site.chance.choice(("before", "beside", "after"))
        if moment == "before":
            site.gates.open(point)
        site.start_runner()
        if moment == "after":
            time.sleep(2.0)
        site.gates.open(point)
        return batch

    return strike


def _killed_while_running(site: FaultSite) -> Batch:
    batch = _running(site)
    _kill(site)
    return batch


def _killed_in_poll(site: FaultSite) -> Batch:
    batch = _running(site)
    point = "squeue-before" if site.cluster else "pack-before"
    site.gates.close(point)
    site.gates.wait(point, 60)
    site.kill_runner()
    site.gates.open(point)
    site.start_runner()
    return batch


def _killed_when_ended(site: FaultSite) -> Batch:
    batch = _ended_unseen(site)
    site.kill_runner()
    site.gates.open("pack-before")
    site.start_runner()
    return batch


def _killed_in_download(site: FaultSite) -> Batch:
    batch = _at_the_download(site)
    site.kill_runner()
    site.gates.open("pack-before")
    site.start_runner()
    return batch


def _killed_before_commit(site: FaultSite) -> Batch:
    batch = _at_the_download(site)
    # It has the results, and waits for its turn to write them.
    with site.opened.database.transaction():
        site.gates.close("pack-after")
        site.gates.open("pack-before")
        site.gates.wait("pack-after")
        site.gates.open("pack-after")
        time.sleep(site.chance.uniform(0.2, 0.6))
        site.kill_runner()
    site.start_runner()
    return batch


def _killed_after_commit(site: FaultSite) -> Batch:
    batch = _at_the_download(site)
    site.gates.open("pack-before")
    site.wait_for_any(batch, "COMPLETED")
    _kill(site)
    return batch


_SSH_FAULTS: Mapping[str, Callable[[FaultSite], Batch]] = {
    "connection cut in the upload": _cut_in_upload,
    "connection cut in the submission": _cut_in_submission,
    "connection cut in a poll": _cut_in_poll,
    "connection cut in the download": _cut_in_download,
    "sshd stopped and started": _sshd_stopped,
    "runner killed: jobs claimed": _killed_when_claimed,
    "runner killed: in the upload": _killed_at("unpack-before"),
    "runner killed: uploaded": _killed_at("unpack-after"),
    "runner killed: jobs running": _killed_while_running,
    "runner killed: in a poll": _killed_in_poll,
    "runner killed: jobs ended": _killed_when_ended,
    "runner killed: in the download": _killed_in_download,
    "runner killed: before the commit of results": _killed_before_commit,
    "runner killed: after the commit of results": _killed_after_commit,
}

#: By scheduler of the worker, then by name.
FAULTS: Mapping[str, Mapping[str, Callable[[FaultSite], Batch]]] = {
    "shell": _SSH_FAULTS,
    "slurm": {
        **_SSH_FAULTS,
        "runner killed: before sbatch": _killed_at("sbatch-before"),
        "runner killed: after sbatch": _killed_at("sbatch-after"),
        "slurmctld restarted": _controller_restarted,
        "node set down": _node_set_down,
    },
}


def make(site: FaultSite, name: str) -> Outcome:
    """Make a fault once, and say what came of it."""
    batch = FAULTS[site.scheduler][name](site)
    batch.go()
    try:
        seconds = site.seconds_to_go_on(_PATIENCE_SECONDS) if not _is_over(site, batch) else 0.0
    except AssertionError:
        seconds = _PATIENCE_SECONDS
    losses = site.finish(batch, _PATIENCE_SECONDS)
    site.gates.open_all()
    return Outcome(losses, seconds, "" if losses.none else site.explain(batch))


def _is_over(site: FaultSite, batch: Batch) -> bool:
    return set(site.states(batch)) <= {"COMPLETED", "FAILED"}
