"""The contract of transports, on every one of them; over SSH on real servers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from towline.testing.sshd import SshSite
from towline.testing.transport_contract import TransportContract
from towline.workers.transports.local import LocalTransport
from towline.workers.transports.shell_text import Shell
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.transport import Transport


class TestLocalTransport(TransportContract):
    @pytest.fixture(params=["bash", "sh"])
    def transport(self, request: pytest.FixtureRequest) -> Iterator[Transport]:
        transport = LocalTransport("here", Shell(request.param, login=False))
        yield transport
        transport.close()

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        folder = tmp_path / "there"
        folder.mkdir()
        return folder


@pytest.mark.ssh
class TestSshTransport(TransportContract):
    @pytest.fixture
    def transport(self, site: SshSite, connect: Callable[..., SshTransport]) -> Transport:
        site.add("plain")
        return connect("plain")

    @pytest.fixture
    def place(self, account_folder: Path) -> Path:
        return account_folder
