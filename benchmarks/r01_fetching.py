"""Metrics r1 and r2: one large file and many small ones come here, each side with a connection of its own."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.measurement import Better, Figure, Options, alternate
from benchmarks.side import run_side
from benchmarks.site import Host, ssh_host

_LARGE_BYTES = 200_000_000
_FILES, _FILE_BYTES = 500, 10_000


def ours_seconds(config: str, alias: str, folder: str) -> float:
    """Seconds for everything in a folder, as `tow job files get` brings it."""
    from towline.operations.remote_folders import FolderThere
    from towline.workers.transports.ssh import SshTransport
    from towline.workers.transports.ssh_settings import SshSettings

    transport = SshTransport("host", SshSettings(alias, config_file=Path(config)))
    with tempfile.TemporaryDirectory() as target:
        started = time.perf_counter()
        FolderThere("1", folder, transport).fetch(["."], Path(target))
        seconds = time.perf_counter() - started
        _check(folder, target)
    transport.disconnect()
    return seconds


def scp_seconds(config: str, alias: str, folder: str) -> float:
    """Seconds of scp for the one file in a folder."""
    (file,) = Path(folder).iterdir()
    with tempfile.TemporaryDirectory() as target:
        started = time.perf_counter()
        subprocess.run(["scp", "-q", "-F", config, f"{alias}:{file}", target], check=True)
        seconds = time.perf_counter() - started
        _check(folder, target)
    return seconds


def tar_seconds(config: str, alias: str, folder: str) -> float:
    """Seconds of ``ssh HOST tar | tar`` for a folder."""
    with tempfile.TemporaryDirectory() as target:
        started = time.perf_counter()
        text = f"ssh -F {config} {alias} tar -cf - -C {folder} . | tar -xf - -C {target}"
        subprocess.run(["sh", "-c", text], check=True)
        seconds = time.perf_counter() - started
        _check(folder, target)
    return seconds


def measure(options: Options) -> list[Figure]:
    """Figures of these metrics."""
    with ssh_host() as near:
        large, small = _folder(near, "large"), _folder(near, "small")
        (large / "big.bin").write_bytes(os.urandom(_LARGE_BYTES))
        figures = [
            _figure(options, near, large, "r1", "fetching one file of 200 MB", "scp", 1 / 0.9),
            _small(options, near, small, "fetching 500 files of 10 KB"),
        ]
    with ssh_host(0.05) as far:
        return [*figures, _small(options, far, _folder(far, "small"), "the same at 50 ms")]


def _small(options: Options, host: Host, folder: Path, what: str) -> Figure:
    for number in range(_FILES):
        (folder / f"{number}.dat").write_bytes(os.urandom(_FILE_BYTES))
    return _figure(options, host, folder, "r2", what, "tar", 1.2)


def _figure(options: Options, host: Host, folder: Path, metric: str, what: str, peer: str, target: float) -> Figure:
    arguments = {"config": host.config, "alias": host.alias, "folder": str(folder)}
    sides = alternate(
        options.repeats,
        {
            "ours": lambda: run_side("r01_fetching", "ours_seconds", arguments),
            peer: lambda: run_side("r01_fetching", f"{peer}_seconds", arguments),
        },
    )
    against = "scp" if peer == "scp" else "ssh HOST tar | tar"
    return Figure(metric, what, "s", sides["ours"], against, sides[peer], target, Better.LOWER)


def _folder(host: Host, name: str) -> Path:
    folder = Path(host.place, name)
    folder.mkdir()
    return folder


def _check(folder: str, target: str) -> None:
    files = {path.name: path.stat().st_size for path in Path(target).iterdir()}
    assert files == {path.name: path.stat().st_size for path in Path(folder).iterdir()}, "not everything came"
    shutil.rmtree(target)
    Path(target).mkdir()
