"""What happens in the process of a job before its work begins: files of an earlier attempt are brought along, and the
memory is limited.

``prelude`` in the header of a job has ``continue`` (``{"folder", "patterns"}``) and ``memory_bytes``. For Python jobs
:func:`prepare` does it; commands need no Python, so :func:`wrapped` has a shell do the same.
"""

import resource
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from towline.core.run_folder import OWN_FILES

#: Copies what its patterns match in another folder to the present one, then becomes the command. Patterns are expanded
#: without being quoted, and nothing else is split or expanded; a name of a file of towline is passed over.
_SCRIPT = """
IFS=
here=$PWD; folder=$1; own=$2; memory=$3; count=$4; shift 4
if cd "$folder" 2>/dev/null; then
  while [ "$count" -gt 0 ]; do
    for found in $1; do
      case "/$own/" in *"/$found/"*) continue;; esac
      [ -e "$found" ] || continue
      case "$found" in */*) mkdir -p "$here/${found%/*}";; esac
      cp -Rp "$found" "$here/$found"
    done
    shift; count=$((count - 1))
  done
  cd "$here"
else
  shift "$count"
fi
unset IFS
[ -z "$memory" ] || ulimit -v "$memory"
exec "$@"
"""


def prepare(header: Mapping[str, Any]) -> None:
    """Do what the header says, in this process and its present folder."""
    prelude = header.get("prelude") or {}
    if "continue" in prelude:
        _bring_files(Path(prelude["continue"]["folder"] or ""), prelude["continue"]["patterns"])
    memory_bytes = prelude.get("memory_bytes")
    # macOS knows the limit and does not keep it.
    if memory_bytes is not None and sys.platform == "linux":
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = memory_bytes + _present_bytes()
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


def lift_limit() -> None:
    """Give the memory back that writing a result takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def wrapped(words: Sequence[str], header: Mapping[str, Any]) -> list[str]:
    """`words` as the arguments of a shell that does what the header says, and then becomes the command."""
    prelude = header.get("prelude") or {}
    if not prelude:
        return list(words)
    folder = (prelude.get("continue") or {}).get("folder") or ""
    patterns = (prelude.get("continue") or {}).get("patterns") or ()
    memory_bytes = prelude.get("memory_bytes")
    memory = "" if memory_bytes is None or sys.platform != "linux" else str(max(1, memory_bytes // 1024))
    own = "/".join(sorted(OWN_FILES))
    settings = [folder or "/nonexistent", own, memory, str(len(patterns)), *patterns]
    return ["/bin/sh", "-c", _SCRIPT, "towline", *settings, *words]


def _bring_files(folder: Path, patterns: Sequence[str]) -> None:
    if not folder.is_dir():
        return  # another worker, or deleted: the job begins anew
    here = Path.cwd()
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            found = path.relative_to(folder)
            # Like a shell, which does it for commands: hidden files only when they are asked for.
            if str(found) not in OWN_FILES and (not path.name.startswith(".") or "." in pattern[:1]):
                _copy(path, here / found)


def _copy(source: Path, target: Path) -> None:
    # Copies, not links: the next attempt may write on in its files, and those of the earlier one stay as they were.
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def _present_bytes() -> int:
    """Address space that this process has before its work begins: a Python with its libraries reserves a lot."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0
