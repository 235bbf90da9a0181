"""What is in a folder of a worker, with sizes and times, in one round trip."""

from collections.abc import Iterator
from dataclasses import dataclass

from towline.errors import TransferFailed
from towline.workers.transports.shell_text import path_text
from towline.workers.transports.transport import Transport

#: One line of numbers and the name, with a null character after each; the second form is for find without -printf.
#: Links count as what they lead to.
_SCRIPT = """\
cd -- {folder} 2>/dev/null || exit {gone}
if find . -maxdepth 0 -printf '' 2>/dev/null; then
find . -mindepth 1 -printf '%Y %l\\000%s %T@ %m\\000%P\\000'
else
find . ! -name . -exec sh -c 'for file do
if [ -d "$file" ]; then kind=d; elif [ -f "$file" ]; then kind=f; else kind=o; fi
printf "%s %s\\000%s\\000%s\\000" "$kind" "$(readlink "$file")" "$(stat -f "%z %m %Lp" "$file")" "${{file#./}}"
done' towline {{}} +
fi"""

#: Exit code when there is no such folder.
_GONE = 44


@dataclass(frozen=True, slots=True)
class Listed:
    """A file or folder."""

    #: Relative to the folder that was asked for.
    path: str
    is_folder: bool
    is_file: bool
    is_link: bool
    size_bytes: int
    #: Seconds since the epoch, by the clock of the worker.
    modified_at: float
    #: Permissions.
    mode: int


def list_folder(transport: Transport, folder: str) -> list[Listed] | None:
    """Everything in a folder and below it, sorted by path; None when there is no such folder.

    Raises
    ------
    TransferFailed
        It cannot be read.
    """
    done = transport.run(_SCRIPT.format(folder=path_text(folder), gone=_GONE))
    if done.exit_code == _GONE:
        return None
    # find says with exit code 1 that something vanished while it looked.
    if done.exit_code > 1 or (done.exit_code and not done.stdout):
        raise TransferFailed(f"{transport.name}: {folder} cannot be listed: {done.last_words}")
    return sorted(_read(done.stdout), key=lambda item: item.path)


def _read(answer: bytes) -> Iterator[Listed]:
    words = answer.split(b"\0")
    for about, numbers, name in zip(words[0::3], words[1::3], words[2::3], strict=False):
        kind, _, link = about.partition(b" ")
        size, modified, mode = numbers.split()
        yield Listed(
            path=name.decode(errors="surrogateescape"),
            is_folder=kind == b"d",
            is_file=kind == b"f",
            is_link=bool(link),
            size_bytes=int(size),
            modified_at=float(modified),
            mode=int(mode, 8),
        )
