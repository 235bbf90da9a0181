"""Large inputs on their way to a worker, before the job that needs them is submitted.

They lie in a folder of the work_dir under names that are their checksums: what many jobs need goes over once, what was
cut goes on, and a job that is run again finds what it had. The job copies them into its run folder.
"""

import hashlib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from towline.errors import InvalidRequest, TransferFailed
from towline.workers.persistence import Interrupted, persist
from towline.workers.transports.shell_text import path_text
from towline.workers.transports.transport import Transport, Tree

#: In the work_dir of a worker.
STAGE_FOLDER = ".towline_inputs"
#: From this size on a file goes over by itself, so that a cut costs only what was not over yet.
LARGE_BYTES = 8 << 20
#: What no job was submitted with for so long is deleted when something else comes.
_KEPT_DAYS = 60
_PATIENCE_SECONDS = 300.0
_CHUNK_BYTES = 1 << 20

#: Told the bytes that are over so far, and those that there are in all.
Progress = Callable[[int, int], None]

_PRESENT = """\
cd -- {root} 2>/dev/null || exit 0
for name do
if [ -f "$name" ]; then touch -c -- "$name"; printf '%s %s\\n' "$(wc -c <"$name")" "$name"; fi
done"""

_SWEEP = f"find . -mindepth 2 -type f -mtime +{_KEPT_DAYS} -exec rm -f -- {{}} + 2>/dev/null; :"


def stage(
    transport: Transport,
    work_dir: str,
    files: Sequence[Path],
    *,
    progress: Progress | None = None,
    interrupted: Interrupted | None = None,
    patience_seconds: float = _PATIENCE_SECONDS,
) -> Mapping[Path, str]:
    """Bring files to a worker, those that are not there yet; return where each of them is there.

    Raises
    ------
    InvalidRequest
        A file cannot be read, or changed meanwhile.
    ConnectionFailed, OutcomeUnknown
        The worker was not reached for too long; the next call goes on from there.
    TransferFailed
        The worker cannot write them.
    """
    root = f"{work_dir}/{STAGE_FOLDER}"
    names = {path: _name(path) for path in files}
    by_name = {name: path for path, name in names.items()}
    sending = _Sending(transport, root, progress, sum(path.stat().st_size for path in by_name.values()))
    persist(lambda: sending.bring(by_name), patience_seconds=patience_seconds, interrupted=interrupted)
    return {path: f"{root}/{name}" for path, name in names.items()}


class _Sending:
    """Brings files over, each once, however often it is begun again."""

    def __init__(self, transport: Transport, root: str, progress: Progress | None, total: int) -> None:
        self._transport = transport
        self._root = root
        self._progress = progress
        self._total = total
        self._done = 0

    def bring(self, wanted: Mapping[str, Path]) -> None:
        """Bring everything that is not there, which is asked first."""
        there = self._present(list(wanted))
        missing = {name: path for name, path in wanted.items() if there.get(name) != path.stat().st_size}
        self._done = self._total - sum(path.stat().st_size for path in missing.values())
        small = {name: path for name, path in missing.items() if path.stat().st_size < LARGE_BYTES}
        if small:
            trees = [Tree(name, path) for name, path in small.items()]
            self._transport.send(self._root, trees, then=_SWEEP, progress=lambda done, _: self._tell(done))
            self._done += sum(path.stat().st_size for path in small.values())
        for name, path in missing.items():
            if name not in small:
                self._transport.send_file(
                    path, f"{self._root}/{name}", verify=True, progress=lambda done, _: self._tell(done)
                )
                self._done += path.stat().st_size

    def _present(self, names: Sequence[str]) -> dict[str, int]:
        """Sizes of those that are there; they count as used today."""
        script = f"set -- {shlex.join(names)}\n{_PRESENT.format(root=path_text(self._root))}"
        done = self._transport.run(script)
        if done.exit_code:
            raise TransferFailed(f"{self._transport.name}: {self._root} cannot be read: {done.last_words}")
        found = re.findall(rb"^ *(\d+) (\S+)$", done.stdout, re.MULTILINE)
        return {name.decode(): int(size) for size, name in found}

    def _tell(self, done: int) -> None:
        if self._progress is not None:
            self._progress(min(self._done + done, self._total), self._total)


def _name(path: Path) -> str:
    """Checksum and permissions of a file, which a copy there takes over."""
    try:
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{checksum[:2]}/{checksum}.{path.stat().st_mode & 0o777:o}"
    except OSError as error:
        raise InvalidRequest(f"the input {path} cannot be read: {error.strerror}") from error
