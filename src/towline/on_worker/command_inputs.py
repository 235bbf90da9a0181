"""Input files of a command: what is written into its run folder before it is submitted, and what the job itself
copies or links there when it starts.

The content of an input in the payload is one of

- text, or any other JSON value, which is written as JSON;
- ``{"base64": data}``, with ``mode`` (permissions, a number) where that matters;
- ``{"path": file or folder on the worker}``: copied by the job, so that no runner and no login node moves large files.
  ``size_bytes`` and ``modified_ns`` say what it was when the job was made;
- the same with ``"link": true``: not copied, a link in the run folder leads to it; ``"on_worker": true`` only says that
  the path was never one of the machine that submitted it;
- ``{"folder": true}``: an empty folder.
"""

import base64
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from towline.core.documents import encode
from towline.core.run_folder import OWN_FILES
from towline.on_worker.attempt_files import write_whole
from towline.on_worker.command_payload import Command, UnusableCommand, inside, resolved
from towline.on_worker.command_values import check_value

#: Exit code of a job whose input file is not there, or cannot be copied; that of BSD's sysexits.
NO_INPUT = 66

#: In the run folder: what the job is to bring, when that is much.
CALLS_FILE = "towline_inputs"

#: Copies and links, then becomes the command. All names are arguments: the shell reads none of them. With more than
#: arguments can hold, the calls stand in a file.
_SCRIPT = f"""
refuse() {{
printf 'towline: the input %s cannot be had from %s on %s\\n' "$2" "$1" "$(uname -n)" >&2
exit {NO_INPUT}
}}
bring() {{
how=$1 from=$2 name=$3
case $name in */*) mkdir -p -- "./${{name%/*}}" || refuse "$from" "$name" ;; esac
if ! [ -e "$from" ]; then echo "towline: there is no $from" >&2; refuse "$from" "$name"; fi
if [ "$how" = link ]; then ln -sfn -- "$from" "./$name" || refuse "$from" "$name"
elif [ -d "$from" ]; then mkdir -p -- "./$name" && cp -R -- "$from/." "./$name" || refuse "$from" "$name"
else cp -f -- "$from" "./$name" || refuse "$from" "$name"
fi
}}
count=$1; shift
if [ "$count" = file ]; then . ./{CALLS_FILE}; count=0; fi
while [ "$count" -gt 0 ]; do bring "$1" "$2" "$3"; shift 3; count=$((count - 1)); done
exec "$@"
"""

#: Systems take 128 KB to 2 MB of arguments and variables for a program.
_MOST_ARGUMENT_BYTES = 30_000


@dataclass(frozen=True, slots=True)
class Written:
    """An input that stands in the payload."""

    name: str
    #: None is an empty folder.
    data: bytes | None
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Brought:
    """An input that the job fetches from elsewhere on the worker."""

    name: str
    #: Absolute path on the worker, of a file or a folder.
    path: str
    is_link: bool = False
    #: What the original was when the job was made; None is unknown.
    size_bytes: int | None = None
    modified_ns: int | None = None

    @property
    def how(self) -> str:
        """For the script: ``link`` or ``copy``."""
        return "link" if self.is_link else "copy"


def check(command: Command) -> None:
    """Refuse names and patterns of files that are not inside the run folder, and values that say nothing.

    Raises
    ------
    UnusableCommand
        There is such a name.
    """
    for name in (*(command.payload.get("inputs") or ()), *(command.payload.get("outputs") or ())):
        inside(name)
    for name in command.payload.get("inputs") or ():
        if name in OWN_FILES:
            raise UnusableCommand(f"the input {name!r} has the name of a file of towline; choose another one")
    for name, rule in (command.payload.get("values") or {}).items():
        check_value(name, rule)


def inputs(command: Command) -> Iterator[Written | Brought]:
    """The inputs of a command, one after another.

    Raises
    ------
    MissingOutput
        A reference leads nowhere.
    """
    found = list(_inputs(command))
    yield from found
    brought = [item for item in found if isinstance(item, Brought)]
    if not _fits(brought):
        calls = (f"bring {shlex.join([item.how, item.path, item.name])}\n" for item in brought)
        yield Written(CALLS_FILE, "".join(calls).encode(errors="surrogateescape"))


def put_inputs(command: Command, run_dir: str) -> None:
    """Make the inputs that stand in the payload in a run folder on this machine; look whether the others are there.

    Raises
    ------
    MissingOutput
        A reference leads nowhere.
    UnusableCommand
        A file is not any more what it was when the job was made.
    OSError
        A file that is to be copied is not there, or the disk is full.
    """
    for item in inputs(command):
        if isinstance(item, Brought):
            _look_at(item)
            continue
        path = f"{run_dir}/{item.name}"
        os.makedirs(path if item.data is None else os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        if item.data is not None:
            write_whole(path, item.data)
            if item.mode != 0o644:
                os.chmod(path, item.mode)  # noqa: PTH101


def with_inputs(words: Sequence[str], command: Command) -> list[str]:
    """`words` as the arguments of a shell that brings the inputs that have to be brought, and becomes the command.

    Raises
    ------
    MissingOutput
        A reference leads nowhere.
    """
    if not command.payload.get("inputs"):
        return list(words)
    brought = [item for item in _inputs(command) if isinstance(item, Brought)]
    if not brought:
        return list(words)
    if not _fits(brought):
        return ["/bin/sh", "-c", _SCRIPT, "towline", "file", *words]
    arguments = [part for item in brought for part in (item.how, item.path, item.name)]
    return ["/bin/sh", "-c", _SCRIPT, "towline", str(len(brought)), *arguments, *words]


def _fits(brought: Sequence[Brought]) -> bool:
    return sum(len(item.path) + len(item.name) + 8 for item in brought) < _MOST_ARGUMENT_BYTES


def _inputs(command: Command) -> Iterator[Written | Brought]:
    for name, content in (command.payload.get("inputs") or {}).items():
        yield _input(name, resolved(content, command, f"the input {name!r}"))


def _input(name: str, content: Any) -> Written | Brought:
    if isinstance(content, Mapping):
        if isinstance(content.get("path"), str):
            return Brought(
                name,
                content["path"],
                is_link=content.get("link") is True,
                size_bytes=content.get("size_bytes"),
                modified_ns=content.get("modified_ns"),
            )
        if content.keys() == {"folder"}:
            return Written(name, None)
        if content.keys() - {"mode"} == {"base64"}:
            return _written(name, base64.b64decode(content["base64"]), content.get("mode"))
    if isinstance(content, str):
        return _written(name, content.encode(), None)
    return _written(name, content if isinstance(content, bytes) else encode(content), None)


def _written(name: str, data: bytes, mode: int | None) -> Written:
    if mode is None:
        mode = 0o755 if data.startswith(b"#!") else 0o644
    return Written(name, data, mode)


def _look_at(item: Brought) -> None:
    status = os.stat(item.path)  # noqa: PTH116 - the path is text
    if item.modified_ns is None or item.is_link:
        return
    if (status.st_size, status.st_mtime_ns) != (item.size_bytes, item.modified_ns):
        raise UnusableCommand(
            f"the input {item.name!r} is not any more what it was when the job was submitted: {item.path} was changed; "
            "submit the job again"
        )
