"""Whether the work_dir of a worker is the one that it was: a file system that is not mounted says nothing about jobs.

A file with a word of its own stands in each work_dir since the first job was sent there. Where it is missing, or has
another word than a moment ago, what is not there is no evidence of anything.
"""

import re
import secrets
import shlex

from towline.errors import WorkerError

#: What a person writes there who has emptied it.
_EMPTIED = "emptied"
MARK_FILE = ".towline_work_dir"
_SAID = re.compile(r"^@towline@ work_dir (\S+)$", re.MULTILINE)


class WorkDir:
    """What is known of the folder that all run folders of a worker are in.

    Parameters
    ----------
    worker
        Its name, for messages.
    """

    def __init__(self, worker: str, path: str) -> None:
        self._worker = worker
        self._path = path
        self._file = shlex.quote(f"{path}/{MARK_FILE}")
        self._word: str | None = None

    @property
    def marking(self) -> str:
        """Shell line that puts the mark into the folder, where there is none."""
        return f"set -C; {{ echo {secrets.token_hex(8)} >{self._file}; }} 2>/dev/null; set +C\n"

    @property
    def telling(self) -> str:
        """Shell line that says the word of the mark."""
        return (
            f"towline_word=; {{ read -r towline_word <{self._file}; }} 2>/dev/null\n"
            "printf '\\n@towline@ work_dir %s\\n' \"${towline_word:--}\"\n"
        )

    def where_marked(self, script: str) -> str:
        """A script that does nothing where the mark is missing."""
        return f"if [ -s {self._file} ]; then :\n{script}\nfi\n"

    def check(self, said: str, *, found: bool, needed: bool) -> None:
        """Take in what :attr:`telling` said.

        Parameters
        ----------
        found
            Whether a run folder was seen there, which is as good as a mark.
        needed
            Whether jobs are asked about that an earlier runner sent there.

        Raises
        ------
        WorkerError
            It is not the folder that it was.
        """
        match = _SAID.search(said)
        if match is None:
            return
        word = None if match[1] == "-" else match[1]
        if word == _EMPTIED:
            self._word = word
        if word is None and (found or not (needed or self._word)):
            return
        if word is None or self._word not in (None, word):
            what = "has no mark of towline any more" if word is None else "is another folder than before"
            raise WorkerError(
                f"worker {self._worker}: its work_dir {self._path} {what}: is its file system mounted? Jobs stay as "
                f"they are until it is back. If it was emptied for good, type there: "
                f"mkdir -p {shlex.quote(self._path)} && echo {_EMPTIED} >{self._file}"
            )
        self._word = word
