"""How often a scheduler is asked does not depend on how many jobs it has."""

import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from towline.core.records import pack_job
from towline.testing.pbs_site import PbsSite
from towline.testing.worker_driver import WorkerDriver, assignment
from towline.workers.remote.folders import Site
from towline.workers.remote.worker import RemoteWorker
from towline.workers.schedulers.pbs import Pbs
from towline.workers.transports.local import LocalTransport

pytestmark = pytest.mark.pbs

_SECONDS = 5.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PbsSite]:
    site = PbsSite(tmp_path / "site")
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    qstat = site.folder / "bin" / "qstat"
    first, *rest = qstat.read_text().splitlines()
    qstat.write_text("\n".join([first, f"echo asked >>{tmp_path}/asked", *rest, ""]))
    yield site
    site.stop()


def asked_with(jobs: int, site: PbsSite, tmp_path: Path) -> int:
    """How often the queue was asked for `_SECONDS` after so many jobs were submitted."""
    work_dir = site.work_dir(f"with{jobs}")
    worker = RemoteWorker(Site("cluster", str(work_dir), Pbs(), "python3"), LocalTransport("cluster"), 1000)
    driver = WorkerDriver(worker)
    attempts = []
    for number in range(1, jobs + 1):
        header = {"key": f"{number}.1", "uuid": str(number), "index": 1, "name": "job"}
        content = pack_job(header, orjson.dumps({"argv": ["sleep", "100"]}), [])
        resources = {"select": "1:ncpus=1"}
        attempts.append(assignment(work_dir, number, content=content, kind="command", resources=resources))
    driver.hand_over(*attempts)
    driver.wait(lambda: all(driver.find(one.key, "submitted") for one in attempts), "the submission of all")
    (tmp_path / "asked").write_text("")
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        driver.look()
    worker.close()
    return len((tmp_path / "asked").read_text().split())


def test_questions_do_not_grow_with_the_jobs(site: PbsSite, tmp_path: Path) -> None:
    few, many = asked_with(2, site, tmp_path), asked_with(25, site, tmp_path)
    assert 1 <= few <= 5
    assert 1 <= many <= few + 1
