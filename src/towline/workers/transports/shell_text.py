"""Text for the shell of a worker: paths and patterns, quoted, and the script around a script.

Whatever is not a script is quoted by :func:`shlex.quote`, here and nowhere else in the transports.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from towline.errors import InvalidRequest

#: Reads the script from standard input byte by byte, because what follows it there belongs to the script.
_READ = 'eval "$(dd ibs=1 obs=65536 count={size} 2>/dev/null)"'


@dataclass(frozen=True, slots=True)
class Shell:
    """What runs the scripts on a worker."""

    #: Program and options; a POSIX shell.
    command: str = "bash"
    #: Whether the files of a login shell are read first, which make modules and schedulers known.
    login: bool = True

    def argv(self, script_size: int) -> list[str]:
        """Program and arguments that read a script of `script_size` bytes from standard input and run it.

        Files that a login shell reads find nothing on standard input, so that they cannot eat the script.
        """
        read = "exec 0<&3 3<&-; " + _READ.format(size=script_size)
        options = ["-l", "-c"] if self.login else ["-c"]
        starter = 'exec 3<&0 </dev/null; exec "$@"'
        return ["sh", "-c", starter, "towline", *shlex.split(self.command), *options, read, "towline"]


@dataclass(frozen=True, slots=True)
class Marks:
    """Lines that say where the output of a script begins and ends, whatever the shell prints around it."""

    begin: bytes
    end: bytes

    @classmethod
    def of(cls, token: str) -> "Marks":
        """The marks with a token that no output has by chance."""
        return cls(f"\n<towline {token} begins> ".encode(), f"\n<towline {token} ended> ".encode())


def with_arguments(script: str, arguments: Sequence[str]) -> str:
    """A script that finds these arguments as ``$1``, ``$2``, …"""
    return f"set -- {shlex.join(arguments)}\n{script}" if arguments else script


def framed(script: str, token: str) -> bytes:
    """A script with the marks around it, as it goes to standard input.

    A script that arrives only in part is not begun: the shell has to have read the closing parenthesis first.
    The begin mark is followed by the home folder, the end mark by the exit code.

    Raises
    ------
    InvalidRequest
        There is a null character in it.
    """
    if "\0" in script:
        raise InvalidRequest("a script or path for a worker has a null character; remove it")
    marks = Marks.of(token)
    begin, end = (shlex.quote(mark.decode()) for mark in (marks.begin, marks.end))
    lines = (
        "{",
        f"printf '%s\\n' {begin} >&2",
        f"printf '%s%s\\n' {begin} \"$HOME\"",
        f"(eval {shlex.quote(script)})",
        "towline_code=$?",
        f"printf '%s%s\\n' {end} \"$towline_code\" >&2",
        f"printf '%s%s\\n' {end} \"$towline_code\"",
        "exit $towline_code",
        "}",
    )
    return ("\n".join(lines) + "\n").encode(errors="surrogateescape")


def path_text(path: str) -> str:
    """A path as a word of the shell; relative ones, and those that begin with ``~/``, are in the home folder.

    Raises
    ------
    InvalidRequest
        The path is empty or has a null character.
    """
    if not path or "\0" in path:
        raise InvalidRequest(f"{path!r} is no path")
    if path.startswith("/"):
        return shlex.quote(path)
    inner = "" if path == "~" else path.removeprefix("~/")
    return f'"$HOME"/{shlex.quote(inner)}' if inner else '"$HOME"'


def absolute(path: str, home: str) -> str:
    """The path that :func:`path_text` means on a worker with this home folder."""
    if path.startswith("/"):
        return path
    return home if path == "~" else f"{home}/{path.removeprefix('~/')}"


_WILDCARDS = re.compile(r"(\[[!^]?\]?[^]/]*\]|[*?])")


def pattern_text(pattern: str) -> str:
    """A shell pattern as a word in which only the wildcards are not quoted."""
    pieces = _WILDCARDS.split(pattern)
    return "".join(
        _class_text(piece) if index % 2 else shlex.quote(piece) for index, piece in enumerate(pieces) if piece
    )


def _class_text(piece: str) -> str:
    if piece in ("*", "?"):
        return piece
    # Of a bracket expression only what is in it could mean something else to the shell.
    inner = re.sub(r"([^\w\-!^:.=])", r"\\\1", piece[1:-1])
    return f"[{inner}]"
