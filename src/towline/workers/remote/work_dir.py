"""Whether the work_dir of a worker is the one that it was: a file system that is not mounted says nothing about jobs.

A file with a word of its own stands in each work_dir since the first job was sent there. Where it is missing, or has
another word than a moment ago, what is not there is no evidence of anything.
"""

import re
import secrets
import shlex
from collections.abc import Iterable, Mapping, Sequence

from towline.core.run_folder import work_dir_of
from towline.errors import WorkerError
from towline.workers.remote.cancelling import claims_script
from towline.workers.remote.evidence import Evidence
from towline.workers.remote.flights import Flight, Phase

#: What a person writes there who has emptied it.
_EMPTIED = "emptied"
MARK_FILE = ".towline_work_dir"
_SAID = re.compile(r"^@towline@ work_dir (\d+) (\S+)$", re.MULTILINE)


class WorkDir:
    """What is known of the folder that all run folders of a worker are in.

    Parameters
    ----------
    worker
        Its name, for messages.
    number
        Tells it from other folders of the worker.
    """

    def __init__(self, worker: str, path: str, number: int = 0) -> None:
        self.path = path
        self.number = number
        self._worker = worker
        self._file = shlex.quote(f"{path}/{MARK_FILE}")
        self._word: str | None = None

    @property
    def was_seen(self) -> bool:
        """Whether its mark was seen; into a folder without one nothing was ever sent, unless it is not mounted."""
        return self._word is not None

    @property
    def marking(self) -> str:
        """Shell line that puts the mark into the folder, where there is none."""
        return f"set -C; {{ echo {secrets.token_hex(8)} >{self._file}; }} 2>/dev/null; set +C\n"

    @property
    def telling(self) -> str:
        """Shell line that says the word of the mark."""
        return (
            f"towline_word=; {{ read -r towline_word <{self._file}; }} 2>/dev/null\n"
            f"printf '\\n@towline@ work_dir {self.number} %s\\n' \"${{towline_word:--}}\"\n"
        )

    def where_marked(self, script: str) -> str:
        """A script that does nothing where the mark is missing."""
        return f"if [ -s {self._file} ]; then :\n{script}\nfi\n"

    def problem(self, word: str | None, *, found: bool, needed: bool) -> str | None:
        """Why it is not the folder that it was; None when it is.

        Parameters
        ----------
        word
            What :attr:`telling` said.
        found
            Whether a run folder was seen there, which is as good as a mark.
        needed
            Whether jobs are asked about that an earlier runner sent there.
        """
        if word == _EMPTIED:
            self._word = word
        if word is None and (found or not (needed or self._word)):
            return None
        if word is None or self._word not in (None, word):
            what = "has no mark of towline any more" if word is None else "is another folder than before"
            return (
                f"worker {self._worker}: its work_dir {self.path} {what}: is its file system mounted? Jobs stay as "
                f"they are until it is back. If it was emptied for good, type there: "
                f"mkdir -p {shlex.quote(self.path)} && echo {_EMPTIED} >{self._file}"
            )
        self._word = word
        return None


class WorkDirs:
    """The folders that the run folders of a worker are in: its own, and those that jobs have instead.

    Parameters
    ----------
    worker
        Its name, for messages.
    path
        Its own.
    """

    def __init__(self, worker: str, path: str) -> None:
        self.own = WorkDir(worker, path)
        #: Why jobs that have a folder of their own wait.
        self.problem: str | None = None
        self._worker = worker
        self._known = {path: self.own}

    def of(self, flight: Flight) -> WorkDir:
        """The folder that the run folder of an attempt is in."""
        path = work_dir_of(flight.run_dir, self.own.path)
        if path not in self._known:
            self._known[path] = WorkDir(self._worker, path, len(self._known))
        return self._known[path]

    def apart(self, flights: Iterable[Flight]) -> list[tuple[WorkDir, list[Flight]]]:
        """The attempts, those in the same folder together."""
        together: dict[int, tuple[WorkDir, list[Flight]]] = {}
        for flight in flights:
            folder = self.of(flight)
            together.setdefault(folder.number, (folder, []))[1].append(flight)
        return list(together.values())

    def telling(self, flights: Iterable[Flight]) -> str:
        """Shell lines that say the words of their folders."""
        return "".join(folder.telling for folder, _ in self.apart(flights)) or self.own.telling

    def claims(self, flights: Iterable[Flight]) -> str:
        """A script by which attempts that have not begun never will, where their folders are what they were."""
        return "".join(
            folder.where_marked(claims_script([flight.run_dir for flight in those]))
            for folder, those in self.apart(flights)
        )

    def lost(self, said: str, flights: Sequence[Flight], evidence: Mapping[str, Evidence]) -> frozenset[str]:
        """Keys of the attempts about which nothing is known, because the folder of their own is not what it was.

        Raises
        ------
        WorkerError
            The folder of the worker is not what it was.
        """
        words = {int(number): None if word == "-" else word for number, word in _SAID.findall(said)}
        lost: set[str] = set()
        self.problem = None
        for folder, those in self.apart(flights) or [(self.own, [])]:
            if folder.number not in words:
                continue
            problem = folder.problem(
                words[folder.number],
                found=any(evidence[flight.key].files for flight in those if flight.key in evidence),
                needed=any(flight.phase is Phase.ADOPTED and flight.placed for flight in those),
            )
            if problem is not None and folder is self.own:
                raise WorkerError(problem)
            if problem is not None:
                self.problem = problem
                lost.update(flight.key for flight in those)
        return frozenset(lost)
