"""The port of transports, and the values that go through it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from towline.errors import ConnectionReason


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """How a script ended, told by the script itself."""

    #: That of the script; 128 + n when signal n ended it.
    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def last_words(self) -> str:
        """The end of standard error, or of standard output if there is none, for a message."""
        text = (self.stderr.strip() or self.stdout.strip()).decode(errors="replace")
        return text[-1000:]


@dataclass(frozen=True, slots=True)
class Content:
    """A file that stands in memory."""

    data: bytes
    #: Permissions, less the umask of the worker.
    mode: int = 0o666


#: What a file is made of: bytes, or a file or folder of this machine (links in it are followed).
Source = bytes | Content | Path


class Existing(str, Enum):
    """What happens to a tree whose place is taken."""

    KEEP = "keep"  #: what is there stays; trees appear whole, so it is complete
    REPLACE = "replace"  #: what is there is removed once the new tree is complete


@dataclass(frozen=True, slots=True)
class Tree:
    """A file or a folder with everything in it that appears on the worker as a whole."""

    #: Where, relative to the root that is sent to.
    path: str
    #: A file or folder; or a folder with these files, by their paths in it.
    content: Source | Mapping[str, Source]
    existing: Existing = Existing.KEEP


@dataclass(frozen=True, slots=True)
class Selection:
    """Files of one folder of the worker that are to be brought into one folder of this machine."""

    #: Absolute, or relative to the home folder there.
    folder: str
    #: Made if it is missing. Files of the same names in it are replaced.
    target: Path
    #: ``*``, ``?`` and ``[...]`` as in the shell, within one level; ``folder/**/name`` at any depth. What matches a
    #: folder takes everything in it. Names that begin with a dot match only what begins with a dot.
    patterns: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one selection."""

    selection: Selection
    #: Paths of files that arrived, relative to the target, with their sizes in bytes.
    files: Mapping[str, int] = field(default_factory=dict)
    #: Patterns that matched nothing.
    missing: tuple[str, ...] = ()
    #: What was left there, and why: links that lead out of the folder, sockets, devices.
    skipped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tail:
    """News of one file."""

    #: Bytes from the offset that was asked for; empty when there are none.
    data: bytes
    #: Size of the file at that time, in bytes; None when there is no such file.
    size: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a transport works, and if not, why and what to do."""

    connected: bool
    #: One sentence, with the command to type next when it is not connected.
    message: str
    reason: ConnectionReason | None = None
    #: Seconds that an empty script took, from here to there and back.
    round_trip_seconds: float | None = None
    #: Seconds until the certificate that is used lapses.
    certificate_seconds_left: float | None = None


#: Told the bytes that went over so far, and those that there are in all if that is known.
Progress = Callable[[int, int | None], None]


class Transport(Protocol):
    """A way to the machine of a worker.

    Every method but :meth:`close` and :meth:`check` raises :class:`~towline.errors.ConnectionFailed` when there is no
    connection and nothing was done, :class:`~towline.errors.LoginNeeded` when a person has to do something about that,
    and :class:`~towline.errors.OutcomeUnknown` when the answer did not come, so that it may have been done. Several
    threads may use one transport. Paths on the worker are absolute, or relative to the home folder there; ``~/`` at
    their beginning means the same. Nothing in a path or a name is ever executed.
    """

    #: For messages: the name of the worker.
    name: str
    #: How many times something was asked of the worker.
    round_trips: int

    def run(
        self,
        script: str,
        *,
        arguments: Sequence[str] = (),
        stdin: bytes = b"",
        timeout_seconds: float | None = None,
    ) -> ScriptResult:
        """Run a POSIX shell script, with arguments as ``$1``, ``$2``, …; any exit code is a result.

        Parameters
        ----------
        timeout_seconds
            After this time OutcomeUnknown is raised; None is the limit of the transport, infinity that limit for the
            time in which no byte moves.
        """

    def send(
        self, root: str, trees: Sequence[Tree], *, then: str = "", progress: Progress | None = None
    ) -> ScriptResult:
        """Bring trees to the folder `root`, in one round trip, each of them under its final name only when complete.

        Repeating it is harmless. `root` and folders on the way are made.

        Parameters
        ----------
        then
            A script that runs there when all trees are in place, in the same round trip, with `root` as its folder.

        Returns
        -------
        ScriptResult
            That of `then`.

        Raises
        ------
        TransferFailed
            The worker could not write them. None of the trees that were not there before is there in part.
        InvalidRequest
            A path leads out of `root`, or a source is neither file nor folder.
        """

    def fetch(self, selections: Sequence[Selection], *, progress: Progress | None = None) -> Sequence[Fetched]:
        """Bring files here, in one round trip, each of them under its final name only when complete.

        Raises
        ------
        TransferFailed
            The worker could not read them, or answered with something that would not stay in its target.
        """

    def fetch_file(self, path: str, target: Path, *, verify: bool = False, progress: Progress | None = None) -> int:
        """Bring one large file here; go on where an earlier attempt was cut. Return its size in bytes.

        Parameters
        ----------
        verify
            Compare SHA-256 checksums; done in any case when the file came in more than one piece.

        Raises
        ------
        TransferFailed
            There is no such file, it changed meanwhile, or the checksums differ.
        """

    def send_file(self, source: Path, path: str, *, verify: bool = False, progress: Progress | None = None) -> None:
        """Bring one large file there; go on where an earlier attempt was cut.

        Raises
        ------
        TransferFailed
            It cannot be written there, or the checksums differ.
        """

    def tail(self, offsets: Mapping[str, int], *, limit_bytes: int = 1 << 20) -> Mapping[str, Tail]:
        """What stands in files from an offset on, at most `limit_bytes` of each, in one round trip."""

    def checksums(self, paths: Sequence[str]) -> Mapping[str, str | None]:
        """SHA-256 of files, as hexadecimal digits, in one round trip; None where there is no such file."""

    def check(self) -> Health:
        """Try the connection now, whatever happened before."""

    def close(self) -> None:
        """Let go of the connection. A connection that a person logged in for stays."""
