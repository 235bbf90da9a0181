"""Servers of OpenSSH, started once for all tests that want them."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from towline.testing.sshd import ACCOUNT, SshSite, site_or_skip
from towline.workers.transports.shell_text import Shell
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.ssh_settings import SshSettings

Connect = Callable[..., SshTransport]


@pytest.fixture
def site() -> Iterator[SshSite]:
    """A user with keys, known hosts and a configuration, and no server yet."""
    with site_or_skip("sshd") as site:
        yield site


@pytest.fixture
def connect(site: SshSite) -> Iterator[Connect]:
    """A function that makes a transport to an alias of the site."""
    transports: list[SshTransport] = []

    def make(
        host: str, *, shell: Shell | None = None, timeout_seconds: float = 30.0, **settings: object
    ) -> SshTransport:
        known = SshSettings(host, config_file=site.config, **settings)  # type: ignore[arg-type]
        transports.append(SshTransport("cluster", known, shell, timeout_seconds))
        return transports[-1]

    yield make
    for transport in transports:
        transport.disconnect()


@pytest.fixture
def account_folder(site: SshSite) -> Path:
    """A folder that the account can write to."""
    folder = site.folder / "place"
    folder.mkdir()
    shutil.chown(folder, ACCOUNT, ACCOUNT)
    return folder
