"""Inputs of a command that are on another worker than the one it runs on: they come by way of this machine."""

import os
import re
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from towline.errors import InvalidRequest
from towline.operations.input_files import ON_WORKER
from towline.operations.input_staging import NOBODY, Watching

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

_TEXT = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<worker>[^=:/]+):(?P<path>/.+)")
#: How long a connection may stay away before the transfer is given up.
_PATIENCE_SECONDS = 300.0


@contextmanager
def brought_here(
    opened: "OpenProject", texts: Sequence[str], worker: str | None, watching: Watching = NOBODY
) -> Iterator[list[str]]:
    """The texts of `--input`, in which files and folders of other workers (``NAME:/PATH``) are those of this machine.

    They lie in a folder that goes away with the block, unless the jobs of `worker` take them from there.

    Raises
    ------
    InvalidRequest
        There is no such file there.
    WorkerError
        That worker cannot be reached.
    """
    target, config = opened.project.worker(worker)
    with ExitStack() as stack:
        folder: Path | None = None
        found = []
        for text in texts:
            match = _TEXT.fullmatch(text)
            if match is None or match["worker"] not in opened.project.workers or os.path.lexists(text):
                found.append(text)
                continue
            name = match["name"] or PurePosixPath(match["path"]).name
            if match["worker"] == target:
                found.append(f"{name}={ON_WORKER}{match['path']}")
                continue
            if folder is None and config.type == "local":
                folder = config.work_dir / ".towline_inputs" / str(uuid.uuid4())
            elif folder is None:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="towline-inputs-")))
            place = folder / str(len(found))
            found.append(f"{name}={_fetch(opened, match['worker'], match['path'], place, watching)}")
        yield found


def _fetch(opened: "OpenProject", worker: str, path: str, place: Path, watching: Watching) -> Path:
    # Only who has such inputs pays for what transports load.
    from towline.workers.persistence import persist
    from towline.workers.transports.transport import Selection

    there = PurePosixPath(path)
    if not there.name:
        raise InvalidRequest(f"{worker}:{path} has no name; name what is in it")
    place.mkdir(parents=True)
    pattern = re.sub(r"([*?[])", r"[\1]", there.name)
    selection = Selection(str(there.parent), place, (pattern,))
    transport = opened.transport(worker)
    (came,) = persist(
        lambda: transport.fetch([selection]), patience_seconds=_PATIENCE_SECONDS, interrupted=watching.interrupted
    )
    arrived = place / there.name
    if came.missing or not arrived.exists():
        raise InvalidRequest(f"there is no {path} on the worker {worker}; correct the input {worker}:{path}")
    return arrived
