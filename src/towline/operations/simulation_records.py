"""What is known of simulations that were run: their outcomes, lists, logs, hashes, crates."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towline.errors import ConfigurationError, InvalidRequest, StoreError
from towline.operations.compose import open_project
from towline.operations.jobs import JobFilter, job_info, list_jobs
from towline.operations.simulation_planning import Planned
from towline.operations.simulation_reports import SWEEP
from towline.operations.simulation_runs import planned_of
from towline.simulations.application import Case
from towline.simulations.config_env import ConfigEnv
from towline.simulations.moose.launching import KILLED
from towline.simulations.provenance import changed_files
from towline.simulations.run_directory import (
    LOG,
    METADATA,
    RECORD,
    continuations,
    exit_code_of,
    find_files,
    read_json,
    runs_in,
)


@dataclass(frozen=True)
class Outcome:
    """What came of a simulation, or of a sweep."""

    #: The run directory of the attempt that counts.
    folder: Path
    status: str
    #: CREDIBLE, FALSIFIED or INCONCLUSIVE; None when nobody could judge.
    verdict: str | None
    sentence: str
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    figures: tuple[Path, ...] = ()
    report: Path | None = None
    #: The run directories of all attempts, the first one first.
    attempts: tuple[Path, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def continuations(self) -> tuple[str, ...]:
        """How the attempt that counts went on after interruptions, in sentences."""
        return tuple(continuations(self.record))

    @property
    def credible(self) -> bool:
        """Whether the verdict is CREDIBLE."""
        return self.verdict == "CREDIBLE"


def runs_folder(config: ConfigEnv) -> Path:
    """Where the run directories are."""
    return Path(config.get("RUNS_DIR")).expanduser().absolute()


def refuse_full_disk(members: Sequence[Planned], config: ConfigEnv, *, force: bool = False) -> None:
    """Refuse runs whose files would not find room in the folder of the runs, unless somebody insists.

    Raises
    ------
    InvalidRequest
        There is too little; with how much there is and how much they need, about.
    """
    parent = runs_folder(config)
    while not parent.exists():
        parent = parent.parent
    room, needed = shutil.disk_usage(parent).free / 2**20, sum(one.cost.disk_bytes for one in members) / 2**20
    if needed > room and not force:
        raise InvalidRequest(
            f"{parent} has {room:,.1f} MiB of room, and about {needed:,.1f} MiB are needed; make room, name another "
            "folder with --env RUNS_DIR=FOLDER, write fewer snapshots (exodus_interval), or insist with --force"
        )


def outcome(folder: Path) -> Outcome:
    """What came of a simulation, of whichever of its attempts counts: the last, unless somebody stopped it.

    Raises
    ------
    InvalidRequest
        It is no run directory.
    """
    attempts = [folder]
    records = [read_json(folder / RECORD)]
    while records[-1].get("next_attempt"):
        attempts.append(folder.parent / records[-1]["next_attempt"])
        records.append(read_json(attempts[-1] / RECORD))
    while len(records) > 1 and records[-1].get("status") == "stopped" and records[-2].get("status") == "done":
        # A correction that was given up leaves what it was to correct.
        records.pop()
    record, last = records[-1], attempts[len(records) - 1]
    verdict = record.get("verdict") or {}
    status = status_of(last, record)
    sentence = verdict.get("sentence") or f"no verdict: the run is {'being judged' if status == 'judging' else status}"
    report = record.get("report")
    return Outcome(
        folder=last,
        status=status,
        verdict=verdict.get("verdict"),
        sentence=sentence,
        metrics=record.get("metrics") or {},
        figures=tuple(last / one["path"] for one in record.get("figures") or ()),
        report=None if report is None else last / report,
        attempts=tuple(attempts),
        record=record,
    )


def status_of(folder: Path, record: Mapping[str, Any]) -> str:
    """``pending``, ``running``, ``judging``, ``done``, ``failed`` or ``stopped``."""
    status = str(record.get("status", "unknown"))
    # The run itself writes no record: its log is there from its start on, and a code of its own when it has ended.
    if status != "pending" or not (folder / LOG).is_file():
        return status
    return "running" if exit_code_of(folder) in (None, *KILLED) else "judging"


def list_runs(runs_dir: Path) -> list[dict[str, Any]]:
    """The simulations below a folder, the newest first: those of sweeps too. What cannot be read is told as such."""
    folders = runs_in(runs_dir)
    for sweep in runs_dir.glob(f"*/{SWEEP}"):
        folders += runs_in(sweep.parent)
    rows: list[dict[str, Any]] = []
    for folder in sorted(folders, key=lambda path: path.name, reverse=True):
        try:
            record, metadata = read_json(folder / RECORD), read_json(folder / METADATA)
        except InvalidRequest as error:
            told: dict[str, Any] = {"dir_name": folder.name, "folder": str(folder), "problem": str(error)}
            rows.append(told | {"status": "unreadable"})
            continue
        now = {"status": status_of(folder, record)}
        rows.append({"folder": str(folder), "params": metadata.get("stated"), **record, **now})
    return rows


def find_run(text: str, runs_dir: Path) -> Path:
    """The run directory that a text means: a path, its name or the beginning of it, its run id, or its ``run_name``.

    Raises
    ------
    InvalidRequest
        There is none, or there are several.
    """
    path = Path(text)
    if (path / METADATA).is_file() or (path / SWEEP).is_file():
        return path.absolute()
    wanted = text.removeprefix("run_")
    below = [*runs_dir.glob(f"*/{METADATA}"), *runs_dir.glob(f"*/*/{METADATA}"), *runs_dir.glob(f"*/{SWEEP}")]
    folders = [one.parent for one in below]
    found = [one for one in folders if wanted and one.name.startswith(wanted)]
    # <time>__<run_name>__<label>
    found = found or [one for one in folders if one.name.split("__")[1:2] == [wanted]]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted(one.name for one in found)[:4])
        raise InvalidRequest(f"{len(found)} runs are called {text!r}: {names} ...; give more of the name of one")
    raise InvalidRequest(f"there is no run {text!r} in {runs_dir}; to see what there is: tow simulation list")


def case_of(folder: Path) -> Case:
    """The case of a run directory.

    Raises
    ------
    InvalidRequest
        It is none.
    """
    return planned_of(folder)[0]


def log_tail(folder: Path, lines: int = 60) -> str:
    """The end of the log of a run.

    Raises
    ------
    InvalidRequest
        It has none yet.
    """
    files = find_files(folder, str(case_of(folder)["run_name"]))
    if files.log is None:
        raise InvalidRequest(f"{folder} has no log yet; tow job list shows whether its run has begun")
    text = files.log.read_text(encoding="utf-8", errors="replace")
    return "".join(text.splitlines(keepends=True)[-lines:])


@dataclass(frozen=True)
class Verified:
    """How the files of a run compare with their hashes."""

    compared: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]


def verify_run(folder: Path) -> Verified:
    """Compare the files of a run with the hashes that were taken when it was judged.

    Raises
    ------
    InvalidRequest
        It has no hashes.
    """
    changed, missing, compared = changed_files(folder)
    return Verified(compared, tuple(changed), tuple(missing))


def export_run(folder: Path, target: Path) -> Path:
    """Write a run with its provenance as a Workflow Run RO-Crate, and what was installed where its jobs ran.

    Raises
    ------
    InvalidRequest
        It was not judged, or the target is there already.
    """
    from towline.simulations.crate import write_crate  # rocrate takes a second to load

    return write_crate(folder, target, _environments(folder))


def _environments(folder: Path) -> list[Mapping[str, Any]]:
    """The environments of the jobs of a run, each once; none if their queue is not on this machine any more."""
    try:
        with open_project(read_json(folder / METADATA)["project"]) as opened:
            jobs = list_jobs(opened, JobFilter(metadata={"simulation": folder.name}))
            reports = [job_info(opened, one.id) for one in jobs]
    except (ConfigurationError, StoreError):
        return []
    found = {
        str(one.job.environment["id"]): one.environment
        for one in reports
        if one.environment is not None and one.job.environment is not None
    }
    return [{**document, "id": identifier} for identifier, document in found.items()]
