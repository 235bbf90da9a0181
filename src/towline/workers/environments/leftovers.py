"""Environments on a worker that nobody uses any more: found, and deleted.

Who deploys an environment leaves a mark in it. An environment is deleted by the last one whose mark is in it, and never
without a mark: whoever made it by hand, or copied its path, may use it.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from towline.core.run_folder import SCRIPT_FILE
from towline.errors import TransferFailed
from towline.on_worker.environment_program import RECORD_FILE
from towline.workers.transports.shell_text import path_text
from towline.workers.transports.transport import Transport

_MARKS = ".towline-used-by"
_NAME = re.compile(r"python\d+\.\d+-[0-9a-f]{12}\Z")

_MARK = """\
cd -- {place} && mkdir -p {marks} && printf '%s\\n' {text} >{marks}/{user}"""

#: Tells of each environment how large it is, whose marks are in it, and which of the scripts name it.
_LIST = """\
cd -- {folder} 2>/dev/null || exit 0
for name in python*; do
if ! [ -e "$name/{record}" ] || [ -L "$name" ]; then continue; fi
users=$(ls "$name/{marks}" 2>/dev/null | tr '\\n' ',')
printf '@towline@ %s %s %s\\n' "$name" "$(du -sk -- "$name" | cut -f 1)" "$users"
{grep}
done"""
_GREP = """\
printf '%s\\0' {scripts} | xargs -0 grep -lsF -- "$name" | sed 's/^/@used@ /'"""

_UNMARK = """\
cd -- {folder} || exit
for name in {names}; do
if [ -L "$name" ]; then continue; fi
rm -f -- "$name/{marks}/{user}"
if rmdir -- "$name/{marks}" 2>/dev/null; then
rm -f -- "$name/{record}" && rm -rf -- "$name"
[ -e "$name" ] || echo "$name"
fi
done"""


@dataclass(frozen=True, slots=True)
class Leftover:
    """An environment on a worker."""

    name: str
    size_bytes: int
    #: Who has a mark in it.
    users: tuple[str, ...]
    #: Whether one of the scripts that were asked about runs with it.
    in_script: bool


def leave_mark(transport: Transport, place: str, user: str, text: str) -> None:
    """Note in an environment that somebody uses it.

    Parameters
    ----------
    user
        Letters and digits.
    text
        For people: who that is.

    Raises
    ------
    TransferFailed
        It cannot be written.
    """
    script = _MARK.format(place=path_text(place), marks=_MARKS, text=shlex.quote(text), user=shlex.quote(user))
    done = transport.run(script)
    if done.exit_code:
        raise TransferFailed(f"{transport.name}: {place} cannot be written: {done.last_words}")


def list_environments(transport: Transport, folder: str, scripts_in: Sequence[str]) -> list[Leftover]:
    """The complete environments in a folder.

    Parameters
    ----------
    scripts_in
        Folders of jobs and allocations, whose scripts say which Python they run with.

    Raises
    ------
    TransferFailed
        The worker does not answer so.
    """
    scripts = shlex.join(f"{path}/{SCRIPT_FILE}" for path in scripts_in)
    grep = _GREP.format(scripts=scripts) if scripts_in else ":"
    done = transport.run(_LIST.format(folder=path_text(folder), record=RECORD_FILE, marks=_MARKS, grep=grep))
    if done.exit_code:
        raise TransferFailed(f"{transport.name}: {folder} cannot be read: {done.last_words}")
    found: list[Leftover] = []
    for line in done.stdout.decode(errors="replace").splitlines():
        sign, _, rest = line.partition(" ")
        words = rest.split(" ")
        if sign == "@towline@" and len(words) == 3 and _NAME.fullmatch(words[0]):
            users = tuple(filter(None, words[2].split(",")))
            found.append(Leftover(words[0], int(words[1] or 0) * 1024, users, in_script=False))
        elif sign == "@used@" and found:
            last = found.pop()
            found.append(Leftover(last.name, last.size_bytes, last.users, in_script=True))
    return found


def delete_environments(transport: Transport, folder: str, names: Sequence[str], user: str) -> list[str]:
    """Take the marks of `user` out of environments, and delete those without another one; return their names.

    Raises
    ------
    TransferFailed
        The worker did not do it.
    """
    safe = [name for name in names if _NAME.fullmatch(name)]
    if not safe:
        return []
    script = _UNMARK.format(
        folder=path_text(folder), names=shlex.join(safe), marks=_MARKS, user=shlex.quote(user), record=RECORD_FILE
    )
    done = transport.run(script, timeout_seconds=600)
    if done.exit_code:
        raise TransferFailed(f"{transport.name}: environments cannot be deleted: {done.last_words}")
    return done.stdout.decode().split()
