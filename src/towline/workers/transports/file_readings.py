"""Reading files of a worker without bringing them here: what is new in them, and their checksums."""

import re
from collections.abc import Iterable, Mapping, Sequence

from towline.errors import TransferFailed
from towline.workers.transports.shell_text import path_text
from towline.workers.transports.transport import Tail

#: SHA-256 of standard input as hexadecimal digits, perhaps with more words after them.
SHA256 = """\
sha256() {
if command -v sha256sum >/dev/null 2>&1; then sha256sum
elif command -v shasum >/dev/null 2>&1; then shasum -a 256
else openssl dgst -sha256 -r
fi
}"""

_NEWS = """\
news() {
size=-
if [ -f "$2" ] && [ -r "$2" ]; then size=$(wc -c <"$2"); fi
printf '\\n%s %s %s\\n' "$token" "$1" $size
if [ "$size" != - ] && [ "$size" -gt "$3" ]; then tail -c "+$(($3 + 1))" <"$2" | head -c "$limit"; fi
}"""

_HEXADECIMAL = re.compile(r"[0-9a-f]{64}\b")


def tail_script(offsets: Mapping[str, int], limit_bytes: int, token: str) -> str:
    """A script that prints what stands in files from their offsets on."""
    calls = (f"news {number} {path_text(path)} {offset:d}" for number, (path, offset) in enumerate(offsets.items()))
    return "\n".join([f"token={token} limit={limit_bytes:d}", _NEWS, *calls, ":"])


def tails(answer: bytes, paths: Sequence[str], token: str) -> dict[str, Tail]:
    """What the script printed, by path.

    Raises
    ------
    TransferFailed
        It is not what the script prints.
    """
    pieces = re.split(rb"\n%s (\d+) *(-|\d+)\n" % token.encode(), answer)
    found: dict[str, Tail] = {}
    for number, size, data in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        found[paths[int(number)]] = Tail(data, None if size == b"-" else int(size))
    if len(found) != len(paths):
        raise TransferFailed(f"the worker told of {len(found)} files and was asked for {len(paths)}")
    return found


def checksum_script(paths: Iterable[str]) -> str:
    """A script that prints one line for each file: its SHA-256, or a dash."""
    calls = (f"sum {path_text(path)}" for path in paths)
    return "\n".join(
        [SHA256, 'sum() {\nif [ -f "$1" ] && [ -r "$1" ]; then sha256 <"$1" || exit; else echo -; fi\n}', *calls, ":"]
    )


def checksums(answer: bytes, paths: Sequence[str]) -> dict[str, str | None]:
    """What the script printed, by path.

    Raises
    ------
    TransferFailed
        The worker has no program for checksums.
    """
    lines = answer.decode(errors="replace").splitlines()
    if len(lines) != len(paths):
        raise TransferFailed(f"the worker told {len(lines)} checksums and was asked for {len(paths)}")
    return {path: None if line.strip() == "-" else digits(line) for path, line in zip(paths, lines, strict=True)}


def digits(line: str) -> str:
    """The SHA-256 in what a program for checksums printed.

    Raises
    ------
    TransferFailed
        There is none.
    """
    found = _HEXADECIMAL.search(line)
    if found is None:
        raise TransferFailed(f"the worker has no sha256sum, shasum or openssl; it said {line!r}")
    return found[0]
