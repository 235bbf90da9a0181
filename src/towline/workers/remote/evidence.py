"""What stands in the run folders of many jobs, read in one round trip.

The small files in which jobs tell how far they are come as one tar stream; of jobs that have not ended only those that
say so, of those that have ended everything that their result is made of.
"""

import io
import re
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from towline.core.records import ExitRecord
from towline.core.run_folder import EXIT_FILE, JOB_FILE, RESULT_FILE, STARTED_FILE, output_files
from towline.workers.remote.job_scripts import OUTPUTS_FILE, TAIL_BYTES, TAIL_FILES
from towline.workers.remote.value_files import VALUE_FILE
from towline.workers.schedulers.scheduler import QUEUE_ID_FILE, StatusAnswer

#: Exists as soon as somebody may have submitted the job.
_TRIED_FILE = "towline_submit.1"
_BEFORE_END = (QUEUE_ID_FILE, STARTED_FILE, _TRIED_FILE)
_AT_END = (EXIT_FILE, *_BEFORE_END, RESULT_FILE, OUTPUTS_FILE, *TAIL_FILES)


@dataclass(frozen=True, slots=True)
class Question:
    """A run folder to look into."""

    key: str
    run_dir: str
    resources: Mapping[str, Any] = field(default_factory=dict)
    #: Everything is wanted, ended or not: the scheduler says that it has ended.
    whole: bool = False
    #: The job file too, because nobody here has it any more.
    with_job: bool = False
    #: Whether it is known here already that it was submitted, and that it has started: that need not be told again.
    submitted: bool = False
    started: bool = False

    @property
    def news(self) -> str:
        """Names of the files that are news as long as it has not ended, as words of the shell."""
        submitted = () if self.submitted else (QUEUE_ID_FILE, _TRIED_FILE)
        return " ".join((*submitted, *(() if self.started else (STARTED_FILE,))))


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one look: what the scheduler said, and what stands in the run folders."""

    said: str
    evidence: dict[str, "Evidence"]
    statuses: StatusAnswer | None
    #: Keys of the attempts whose folder is not what it was, so that nothing about them is evidence.
    lost: frozenset[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found in a run folder."""

    files: Mapping[str, bytes]

    @property
    def exit(self) -> ExitRecord | None:
        """How it ended, by its own record."""
        try:
            return ExitRecord(**orjson.loads(self.files[EXIT_FILE]))
        except (KeyError, ValueError, TypeError):
            return None

    @property
    def queue_id(self) -> tuple[str, float | None] | None:
        """The scheduler's id, and when it was submitted there."""
        words = self.files.get(QUEUE_ID_FILE, b"").decode(errors="replace").split()
        if not words:
            return None
        return words[0], float(words[1]) if len(words) > 1 and words[1].isdigit() else None

    @property
    def tried(self) -> bool:
        """Whether it may have been submitted, or has started."""
        return any(name in self.files for name in (*_BEFORE_END, EXIT_FILE))

    @property
    def started_at(self) -> float | None:
        """When it started, in seconds since the epoch; None when it has not, or never will."""
        started = self.started
        return None if started is None or started.get("pid") is None else float(started["at"])

    @property
    def batch(self) -> str | None:
        """The pilot of a batch worker that started it: `<uid of the allocation>.<number of the node>`."""
        return (self.started or {}).get("batch")

    @property
    def never(self) -> bool:
        """Whether it was cancelled before it started."""
        started = self.started
        return started is not None and started.get("pid") is None

    @property
    def error_tail(self) -> str:
        """The end of standard error."""
        return self.files.get(TAIL_FILES[1], b"").decode(errors="replace")

    @property
    def output_tail(self) -> str:
        """The end of standard output."""
        return self.files.get(TAIL_FILES[0], b"").decode(errors="replace")

    @property
    def started(self) -> Mapping[str, Any] | None:
        """What its process said when it began."""
        try:
            found: Mapping[str, Any] = orjson.loads(self.files[STARTED_FILE])
        except (KeyError, ValueError):
            return None
        return found


_FUNCTIONS = """towline_names() { # file...
  for towline_name in "$@"; do
    if [ -e "$towline_folder/$towline_name" ]; then printf '%s\\0' "${towline_folder#/}/$towline_name"; fi
  done
}
towline_files() { # folder whole job output error news
  towline_folder=$1
  if [ -s "$1/@EXIT@" ] || [ -n "$2" ]; then
    case $4 in /*) towline_out=$4 ;; *) towline_out=$1/$4 ;; esac
    case $5 in /*) towline_err=$5 ;; *) towline_err=$1/$5 ;; esac
    # No program is started for a job that printed nothing: there may be hundreds of them.
    if ! [ -e "$1/@TAIL_ERR@" ] && { [ -s "$towline_out" ] || [ -s "$towline_err" ]; }; then
      ( cd -- "$1" && tail -c @BYTES@ "$4" >@TAIL_OUT@; cd -- "$1" && tail -c @BYTES@ "$5" >@TAIL_ERR@ ) 2>/dev/null
    fi
    towline_names @AT_END@ $3
    for towline_value in "$1"/@VALUE@*; do towline_names "${towline_value##*/}"; done
  else towline_names $6; fi
}
"""


def evidence_script(questions: Sequence[Question], token: str) -> str:
    """The script whose last output is the tar stream, after a line with `token`."""
    calls = []
    for item in questions:
        output, error = output_files(item.resources)
        job = JOB_FILE if item.with_job else ""
        words = [item.run_dir, "x" if item.whole else "", job, output, error, item.news]
        calls.append(f"towline_files {shlex.join(words)}\n")
    marks = {
        "EXIT": EXIT_FILE,
        "TAIL_OUT": TAIL_FILES[0],
        "TAIL_ERR": TAIL_FILES[1],
        "BYTES": str(TAIL_BYTES),
        "VALUE": VALUE_FILE,
        "AT_END": " ".join(_AT_END),
    }
    functions = re.sub("@([A-Z_]+)@", lambda match: marks[match[1]], _FUNCTIONS)
    return (
        f"{functions}printf '\\n%s\\n' {shlex.quote(token)}\n"
        "{ :\n" + "".join(calls) + "} | tar -C / -cf - --null -T - 2>/dev/null\ntrue\n"
    )


def read_evidence(output: bytes, questions: Sequence[Question], token: str) -> dict[str, Evidence] | None:
    """What was found, by key, for every question; None when the answer was cut off or is unreadable."""
    _, mark, stream = output.partition(f"\n{token}\n".encode())
    if not mark:
        return None
    found: dict[str, dict[str, bytes]] = {item.run_dir.lstrip("/"): {} for item in questions}
    try:
        # Fails on anything that is no whole archive.
        with tarfile.open(fileobj=io.BytesIO(stream), mode="r:", errorlevel=2) as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                content = archive.extractfile(member) if member.isfile() else None
                if folder in found and content is not None:
                    found[folder][name] = content.read()
    except tarfile.TarError:
        # An archive without members is only padding, and some programs write nothing at all then.
        if stream.strip(b"\0"):
            return None
    return {item.key: Evidence(found[item.run_dir.lstrip("/")]) for item in questions}
