"""The contract of a worker, kept by the local one in each of its modes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from towline.core.records import ShellSetup
from towline.testing.worker_contract import MakeWorker, WorkerContract
from towline.testing.worker_driver import end_pilots
from towline.workers.local import LocalWorker


def _worker(tmp_path: Path, **options: Any) -> LocalWorker:
    return LocalWorker(
        name="here", work_dir=tmp_path, state_dir=tmp_path / "state", slots=2, grace_seconds=0.3, **options
    )


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the imports that real jobs need, a pilot is there in a tenth of a second.
    monkeypatch.setattr("towline.workers.local.DEFAULT_PRELOAD", ("towline.testing.payloads",))


class TestWarmLocalWorker(WorkerContract):
    @pytest.fixture
    def make_worker(self, tmp_path: Path) -> Iterator[MakeWorker]:
        yield lambda: _worker(tmp_path)
        end_pilots(tmp_path)


class TestColdLocalWorker(WorkerContract):
    @pytest.fixture
    def make_worker(self, tmp_path: Path) -> Iterator[MakeWorker]:
        yield lambda: _worker(tmp_path, execution="cold")
        end_pilots(tmp_path)


class TestScriptsOfTheLocalWorker(WorkerContract):
    """Jobs with shell lines around them go through a script."""

    shell = ShellSetup(pre_run=("export FROM_PRE_RUN=1",), post_run=("echo after >> after",))

    @pytest.fixture
    def make_worker(self, tmp_path: Path) -> Iterator[MakeWorker]:
        yield lambda: _worker(tmp_path)
        end_pilots(tmp_path)
