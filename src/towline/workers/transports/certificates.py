"""When the certificates of a user lapse, read on this machine: a host only says that it refuses them."""

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_VALID = re.compile(r"^\s*Valid: (?:from (?P<begin>\S+) to (?P<end>\S+)|forever)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of a user's key."""

    path: Path
    #: Seconds since 1970 (UTC) at which it lapses; None for never.
    valid_until: float | None


def read_certificates(paths: Iterable[Path]) -> list[Certificate]:
    """The certificates among these files, as ``ssh-keygen -L`` describes them."""
    return [found for path in paths if path.is_file() and (found := _read(path)) is not None]


def _read(path: Path) -> Certificate | None:
    done = subprocess.run(
        ["ssh-keygen", "-L", "-f", str(path)],
        # The times are told in local time, without saying which.
        env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    found = _VALID.search(done.stdout)
    if done.returncode or found is None:
        return None
    end = found["end"]
    if end is None or end == "forever":
        return Certificate(path, None)
    return Certificate(path, datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp())


def duration_text(seconds: float) -> str:
    """A duration in its largest unit, as in ``3 h``."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
