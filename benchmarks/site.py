"""Servers that remote figures are taken on: OpenSSH with and without added latency, and Slurm; all on this machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from towline.testing.debian import server_folder
from towline.testing.flaky_proxy import FlakyProxy
from towline.testing.slurm_cluster import SlurmCluster
from towline.testing.sshd import ACCOUNT, SshSite, require_sshd, ssh_site


@dataclass(frozen=True)
class Host:
    """A host behind SSH."""

    #: Configuration of ssh, and the alias in it.
    config: str
    alias: str
    #: A folder there that the account can write to, which this machine sees under the same path.
    place: str


@contextmanager
def ssh_host(round_trip_seconds: float = 0.0) -> Iterator[Host]:
    """A host, so far away."""
    require_sshd()
    folder = server_folder("benchmark")
    try:
        with ssh_site(folder) as site:
            server = site.add("near")
            place = _place(site)
            if not round_trip_seconds:
                yield Host(str(site.config), "near", str(place))
                return
            proxy = FlakyProxy(server.port, round_trip_seconds / 2)
            proxy.start()
            site.know(proxy.port)
            site.write_config(f"Host far\n  HostName 127.0.0.1\n  Port {proxy.port}\n")
            yield Host(str(site.config), "far", str(place))
            proxy.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def slurm_host() -> Iterator[Host]:
    """A login node of a cluster of two nodes."""
    require_sshd()
    cluster = SlurmCluster(nodes=2, users=(ACCOUNT,))
    folder = server_folder("benchmark")
    try:
        with ssh_site(folder) as site:
            site.add("login", "".join(f"SetEnv {name}={value}\n" for name, value in cluster.environment.items()))
            yield Host(str(site.config), "login", str(cluster.work_dir()))
    finally:
        cluster.stop()
        shutil.rmtree(folder)


def _place(site: SshSite) -> Path:
    place = site.folder / "place"
    place.mkdir()
    shutil.chown(place, ACCOUNT, ACCOUNT)
    return place
