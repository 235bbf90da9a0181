"""Local workers for tests, ended with everything they started."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from towline.testing.payloads import EXTRA_PAYLOADS
from towline.testing.worker_driver import WorkerDriver, end_pilots
from towline.workers.local import LocalWorker


@pytest.fixture
def make_local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WorkerDriver]]:
    """A function that makes a local worker and drives it; all of them share one state folder."""
    monkeypatch.setenv("TOWLINE_EXTRA_PAYLOADS", EXTRA_PAYLOADS)
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    workers: list[LocalWorker] = []

    def make(**options: Any) -> WorkerDriver:
        settings: dict[str, Any] = {"slots": 2, "grace_seconds": 0.3, "idle_seconds": 30} | options
        # Without the imports that real jobs need, a pilot is there in a tenth of a second.
        worker = LocalWorker(name="here", work_dir=tmp_path / "work", state_dir=tmp_path / "state", **settings)
        workers.append(worker)
        return WorkerDriver(worker)

    monkeypatch.setattr("towline.workers.local.DEFAULT_PRELOAD", ("towline.testing.payloads",))
    yield make
    for worker in workers:
        worker.close()
    end_pilots(tmp_path)


@pytest.fixture
def local(make_local: Callable[..., WorkerDriver]) -> WorkerDriver:
    """A local worker with two slots."""
    return make_local()
