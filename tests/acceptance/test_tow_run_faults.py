"""`tow run` over a connection that is cut: what is over stays over."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.errors import WorkerError
from towline.operations.remote_folders import FolderThere
from towline.testing.flaky_proxy import FlakyProxy
from towline.testing.sshd import ACCOUNT, SshSite, site_or_skip
from towline.workers.staging import STAGE_FOLDER, stage
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.ssh_settings import SshSettings

pytestmark = pytest.mark.ssh

_SIZE = 24_000_000


@pytest.fixture(scope="module")
def site() -> Iterator[SshSite]:
    with site_or_skip("cut") as site:
        site.add("cluster")
        yield site


@pytest.fixture
def proxy(site: SshSite) -> Iterator[FlakyProxy]:
    proxy = FlakyProxy(site.servers["cluster"].port)
    proxy.start()
    site.know(proxy.port)
    site.write_config(f"Host far\n  HostName 127.0.0.1\n  Port {proxy.port}\n")
    yield proxy
    proxy.stop()


@pytest.fixture
def transport(site: SshSite, proxy: FlakyProxy) -> Iterator[SshTransport]:
    opened = SshTransport("cluster", SshSettings("far", config_file=site.config), timeout_seconds=30.0)
    yield opened
    opened.disconnect()


@pytest.fixture
def place(site: SshSite, tmp_path: Path) -> Iterator[Path]:
    folder = site.folder / tmp_path.name
    folder.mkdir()
    shutil.chown(folder, ACCOUNT, ACCOUNT)
    yield folder
    shutil.rmtree(folder)


class Interruptions:
    """Remembers why a transfer was tried again."""

    def __init__(self) -> None:
        self.errors: list[WorkerError] = []

    def __call__(self, error: WorkerError, pause_seconds: float) -> None:
        self.errors.append(error)


def test_a_large_input_goes_on_where_it_was_cut(
    transport: SshTransport, proxy: FlakyProxy, place: Path, tmp_path: Path
) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(os.urandom(_SIZE))
    transport.run(":")
    cuts = Interruptions()
    proxy.cut_after(_SIZE // 2)
    before = proxy.passed_bytes
    there = stage(transport, str(place), [source], interrupted=cuts)
    assert len(cuts.errors) == 1
    assert Path(there[source]).read_bytes() == source.read_bytes()
    assert proxy.passed_bytes - before < 1.5 * _SIZE
    again = proxy.passed_bytes
    assert stage(transport, str(place), [source]) == there
    assert proxy.passed_bytes - again < 100_000
    assert [path.name for path in (place / STAGE_FOLDER).rglob("*") if path.is_file()] == [Path(there[source]).name]


def test_outputs_go_on_where_they_were_cut_and_come_once(
    transport: SshTransport, proxy: FlakyProxy, place: Path, tmp_path: Path
) -> None:
    files = {"big.bin": os.urandom(_SIZE), **{f"small/{number}.dat": os.urandom(10_000) for number in range(50)}}
    for name, data in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(data)
    cuts = Interruptions()
    told: list[tuple[int, int]] = []
    folder = FolderThere("1", str(place), transport, cuts)
    transport.run(":")
    before = proxy.passed_bytes
    proxy.cut_after(_SIZE // 2)
    target = tmp_path / "here"
    fetched = folder.fetch(["big.bin", "small"], target, lambda done, total: told.append((done, total)))
    assert len(cuts.errors) == 1
    assert {str(path.relative_to(target)): path.read_bytes() for path in fetched} == files
    assert proxy.passed_bytes - before < 1.6 * _SIZE
    assert told[-1] == (_SIZE + 500_000, _SIZE + 500_000)
    again = proxy.passed_bytes
    assert folder.fetch(["big.bin", "small"], target) == fetched
    assert proxy.passed_bytes - again < 100_000


def test_a_connection_that_stays_away_ends_the_transfer_with_its_reason(
    transport: SshTransport, proxy: FlakyProxy, place: Path, tmp_path: Path
) -> None:
    source = tmp_path / "big.bin"
    source.write_bytes(bytes(_SIZE))
    transport.run(":")
    proxy.refuse(True)
    proxy.cut()
    cuts = Interruptions()
    with pytest.raises(WorkerError, match="cluster"):
        stage(transport, str(place), [source], interrupted=cuts, patience_seconds=3.0)
    assert cuts.errors
    proxy.refuse(False)
    stage(transport, str(place), [source])
