"""The contract of workers, for the remote worker on every transport and scheduler that there is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.testing.worker_contract import MakeWorker, WorkerContract
from towline.workers.remote.folders import Site
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.remote.worker import RemoteWorker
from towline.workers.transports.local import LocalTransport


class TestShellBehindAProcess(WorkerContract):
    """A host without a scheduler, reached by starting shells on this machine."""

    @pytest.fixture
    def make_worker(self, tmp_path: Path) -> Iterator[MakeWorker]:
        def make() -> RemoteWorker:
            site = Site("here", str(tmp_path), ShellQueue(0.3), sys.executable)
            return RemoteWorker(site, LocalTransport("here"), 2)

        return make
