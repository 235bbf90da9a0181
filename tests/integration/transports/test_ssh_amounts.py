"""Large files in bounded memory, and many small ones about as fast as `tar | ssh` (the ratio is printed)."""

import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from towline.testing.sshd import SshSite
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.transport import Selection, Tree

pytestmark = [pytest.mark.ssh, pytest.mark.slow]

_MEGABYTES = 200
_TIMES = 7

_MOVE = """\
import resource, sys
from pathlib import Path
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.ssh_settings import SshSettings
from towline.workers.transports.transport import Selection, Tree
config, source, place, target = sys.argv[1:]
transport = SshTransport("cluster", SshSettings("plain", config_file=Path(config)))
transport.run(":")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
transport.send(place, [Tree("tree/big", Path(source))])
transport.send_file(Path(source), f"{place}/big")
transport.fetch([Selection(f"{place}/tree", Path(target, "tree"))])
transport.fetch_file(f"{place}/big", Path(target, "big"), verify=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_files(site: SshSite, account_folder: Path, tmp_path: Path) -> None:
    site.add("plain")
    source = tmp_path / "source"
    block = os.urandom(1 << 20)
    with source.open("wb") as file:
        for _ in range(_MEGABYTES):
            file.write(block)
    done = subprocess.run(
        [sys.executable, "-c", _MOVE, str(site.config), str(source), str(account_folder), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(done.stdout) * unit < 30 << 20
    for arrived in (tmp_path / "tree/big", tmp_path / "big"):
        assert arrived.stat().st_size == _MEGABYTES << 20


def test_many_small_files_are_about_as_fast_as_tar_and_ssh(
    site: SshSite, connect: Callable[..., SshTransport], account_folder: Path, tmp_path: Path
) -> None:
    site.add("plain")
    transport = connect("plain")
    source = tmp_path / "source"
    source.mkdir()
    for number in range(500):
        (source / f"file {number}").write_bytes(os.urandom(10_000))
    transport.send(str(account_folder), [Tree("all", source)])
    # The same connection, the same login shell.
    ssh = shlex.join([*transport._connection.client("")[:-1], "exec bash -lc"])
    numbers = iter(range(1000))

    def plain_put() -> None:
        folder = account_folder / f"plain-{next(numbers)}"
        shell(f"tar -C {source} -cf - . | {ssh} {shlex.quote(shlex.quote(f'mkdir {folder}; tar -xf - -C {folder}'))}")

    def plain_get() -> None:
        folder = tmp_path / f"plain-{next(numbers)}"
        folder.mkdir()
        shell(f"{ssh} {shlex.quote(shlex.quote(f'tar -C {account_folder}/all -cf - .'))} | tar -xf - -C {folder}")

    def put() -> None:
        transport.send(str(account_folder), [Tree(f"ours-{next(numbers)}", source)])

    def get() -> None:
        folder = tmp_path / f"ours-{next(numbers)}"
        (fetched,) = transport.fetch([Selection(f"{account_folder}/all", folder)])
        assert len(fetched.files) == 500

    for word, plain, ours in (("put", plain_put, put), ("get", plain_get, get)):
        ratio = compared(plain, ours)
        print(f"500 files of 10 kB, {word}: {ratio:.2f} of the time of tar | ssh")
        # Far above what is measured, because other work may share the machine; a round trip for each file would be 20.
        assert ratio < 5
    for folder in tmp_path.glob("*-*"):
        shutil.rmtree(folder)


def shell(command: str) -> None:
    subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], check=True, timeout=60)


def compared(first: Callable[[], None], second: Callable[[], None]) -> float:
    """Time of the second in that of the first: medians of turns."""
    times: list[list[float]] = [[], []]
    for _ in range(_TIMES):
        for index, action in enumerate((first, second)):
            begun_at = time.perf_counter()
            action()
            times[index].append(time.perf_counter() - begun_at)
    return statistics.median(times[1]) / statistics.median(times[0])
