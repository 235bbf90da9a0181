"""Flows that leave a project as an archive, and enter another one: records, outputs, journal, files."""

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

import towline
from towline.core.documents import decode, encode
from towline.core.run_folder import run_folder
from towline.errors import InvalidRequest
from towline.operations.archives import ArchiveWriter, unpacked, write_archive
from towline.store.flow_records import Records, join_flows, read_flow, refuse_known, write_flow

if TYPE_CHECKING:
    from towline.operations.compose import OpenProject

#: Version of the content of an archive; what is newer is refused.
FORMAT_VERSION = 1

_RECORDS = "records.json"
_MAIN = "outputs/main.jsonl"
_BATCH = 500

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What is in an archive."""

    path: Path
    flow_id: str
    jobs: int
    outputs: int
    files: int
    #: Links and special files in run folders, which stay behind.
    skipped: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What came out of an archive."""

    flow_id: str
    #: Ids of the jobs here.
    db_ids: tuple[str, ...]
    outputs: int
    files: int
    #: Uuids of unfinished jobs of other flows that its jobs depend on, and that are not here.
    absent_parents: tuple[str, ...] = ()


def export_flow(
    opened: "OpenProject", row: int, target: Path, *, files: bool = True, progress: Progress | None = None
) -> Exported:
    """Write a flow with everything that is known of it to an archive; it stays in the queue.

    Parameters
    ----------
    target
        A file ending with ``.tar.zst`` or ``.tar.gz``, or a folder to be made.
    files
        The files in the run folders of its jobs too, of every attempt that is on this machine.

    Raises
    ------
    IllegalMove
        Some of its jobs are with a worker.
    InvalidRequest
        The target exists, or is of no possible kind.
    """
    records = read_flow(opened.database, row)
    flow = records["flow"][0]
    sources = list(_files(records)) if files else []
    skipped = sum(not _is_plain(path) for _, path in sources)
    plain = [(name, path) for name, path in sources if _is_plain(path)]
    with write_archive(target) as archive:
        archive.add_bytes(_RECORDS, orjson.dumps(records))
        outputs = _export_outputs(opened, records, archive)
        for number, (name, path) in enumerate(plain, start=1):
            archive.add_file(name, path)
            if progress is not None:
                progress(number, len(plain))
        facts = {
            "format": FORMAT_VERSION,
            "towline": towline.__version__,
            "project": opened.project.name,
            "exported_at": datetime.now(UTC).isoformat(),
            "flow": {"uuid": flow["uuid"], "name": flow["name"]},
        }
        archive.finish(facts)
    return Exported(target, flow["uuid"], len(records["job"]), outputs, len(plain), skipped)


def import_flow(
    opened: "OpenProject", source: Path, *, worker: str | None = None, progress: Progress | None = None
) -> Imported:
    """Put a flow from an archive into this project, with its identity. What had not finished is held (PAUSED).

    Parameters
    ----------
    worker
        For the jobs of workers that this project does not have; its first one by default.

    Raises
    ------
    InvalidFlow
        The flow, or one of its jobs, is here already.
    InvalidRequest
        The archive is damaged, or was written by a newer towline.
    """
    default, _ = opened.project.worker(worker)
    with unpacked(source, opened.project.tmp_dir / "import") as (folder, manifest):
        if not isinstance(manifest.get("format"), int) or manifest["format"] > FORMAT_VERSION:
            raise InvalidRequest(
                f"{source} has format {manifest.get('format')!r}; this towline reads {FORMAT_VERSION}. Upgrade it"
            )
        records: Records = orjson.loads((folder / _RECORDS).read_bytes())
        refuse_known(opened.database, records)
        flow = records["flow"][0]
        jobstore = flow["jobstore"] if flow["jobstore"] in opened.project.optional_jobstores else None

        def worker_for(name: str) -> str:
            return name if name in opened.project.workers else default

        with _placed(opened, folder, records, worker_for, progress) as (run_dirs, count):
            outputs = _import_outputs(opened, folder, jobstore, {job["uuid"] for job in records["job"]})
            with opened.database.transaction() as transaction:
                ids = write_flow(
                    transaction,
                    records,
                    worker_for=worker_for,
                    run_dirs=run_dirs,
                    jobstore=jobstore,
                    note=f"imported from the project {manifest.get('project')}",
                )
                absent = join_flows(transaction, records)
    db_ids = tuple(opened.db_id(job_id) for job_id in ids.values())
    return Imported(flow["uuid"], db_ids, outputs, count, tuple(absent))


def _attempts(records: Records) -> Iterator[tuple[int, str, int, int, str, str]]:
    """``(old id, uuid, index, attempt, worker, run folder)`` of every attempt with a run folder."""
    jobs = {job["id"]: job for job in records["job"]}
    for job in records["job"]:
        if job["run_dir"]:
            yield job["id"], job["uuid"], job["job_index"], job["attempt"], job["worker"], job["run_dir"]
    for item in records["attempt"]:
        job = jobs[item["job_id"]]
        if item["run_dir"]:
            yield job["id"], job["uuid"], job["job_index"], item["attempt"], item["worker"], item["run_dir"]
    for job in records["retired_job"]:
        for item in (job, *orjson.loads(job["record"]).get("attempts", ())):
            if item["run_dir"]:
                yield job["job_id"], job["uuid"], job["job_index"], item["attempt"], item["worker"], item["run_dir"]


def _files(records: Records) -> Iterator[tuple[str, Path]]:
    for job_id, _, _, attempt, _, run_dir in _attempts(records):
        folder = Path(run_dir)
        if folder.is_dir():
            for path in sorted(folder.rglob("*")):
                if path.is_symlink() or not path.is_dir():
                    yield f"files/{job_id}/{attempt}/{path.relative_to(folder).as_posix()}", path


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and "\\" not in str(path)


def _export_outputs(opened: "OpenProject", records: Records, archive: ArchiveWriter) -> int:
    """The outputs of the jobs, and of those of other flows that they use, with their parts in additional stores."""
    identities = {(job["uuid"], job["job_index"]) for job in records["job"]}
    identities |= {(edge["parent_uuid"], edge["parent_index"]) for edge in records["outer_edge"]}
    uuids = sorted({uuid for uuid, _ in identities})
    store = opened.job_store(records["flow"][0]["jobstore"])
    documents = [
        document
        for document in _query(store.docs_store, "uuid", uuids)
        if (document.get("uuid"), document.get("index")) in identities
    ]
    archive.add_bytes(_MAIN, _lines(documents))
    for name, additional in store.additional_stores.items():
        parts = [
            part
            for part in _query(additional, "job_uuid", uuids)
            if (part.get("job_uuid"), part.get("job_index")) in identities
        ]
        if parts:
            archive.add_bytes(f"outputs/additional/{name}.jsonl", _lines(parts))
    return len(documents)


def _query(store: Any, key: str, values: Sequence[str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(values), _BATCH):
        for document in store.query({key: {"$in": list(values[start : start + _BATCH])}}):
            yield {name: value for name, value in document.items() if name != "_id"}


def _lines(documents: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(encode(document) + b"\n" for document in documents)


def _import_outputs(opened: "OpenProject", folder: Path, jobstore: str | None, uuids: Collection[str]) -> int:
    """Put the outputs of an archive into the job store; those of jobs of other flows only if they are not there."""
    store = opened.job_store(jobstore)
    additional = sorted((folder / "outputs" / "additional").glob("*.jsonl"))
    missing = [path.stem for path in additional if path.stem not in store.additional_stores]
    if missing:
        raise InvalidRequest(
            f"the flow has outputs in the additional store {missing[0]!r}, which this project does not have; add it: "
            f"jobstore: {{additional_stores: {{{missing[0]}: {{type: sql}}}}}}"
        )
    for path in additional:
        parts = [decode(line) for line in path.read_bytes().splitlines()]
        store.additional_stores[path.stem].update(parts, key="blob_uuid")
    documents = [decode(line) for line in (folder / _MAIN).read_bytes().splitlines()]
    others = [document["uuid"] for document in documents if document["uuid"] not in uuids]
    there = {(document["uuid"], document["index"]) for document in _query(store.docs_store, "uuid", others)}
    documents = [document for document in documents if (document["uuid"], document["index"]) not in there]
    if documents:
        store.docs_store.update(documents, key=["uuid", "index"])
    return len(documents)


@contextmanager
def _placed(
    opened: "OpenProject",
    folder: Path,
    records: Records,
    worker_for: Callable[[str], str],
    progress: Progress | None,
) -> Iterator[tuple[dict[str, str], int]]:
    """Copy the files into run folders of this project; they go again when the block fails."""
    moves = []
    for job_id, uuid, index, attempt, worker, run_dir in _attempts(records):
        source = folder / "files" / str(job_id) / str(attempt)
        if source.is_dir():
            target = opened.project.workers[worker_for(worker)].work_dir / run_folder(uuid, index, attempt)
            if target.exists():
                raise InvalidRequest(f"{target} exists already; move it away, or import with another --worker")
            moves.append((source, target, run_dir))
    made: list[Path] = []
    try:
        for number, (source, target, _) in enumerate(moves, start=1):
            made.append(target)
            shutil.copytree(source, target)
            if progress is not None:
                progress(number, len(moves))
        count = sum(path.is_file() for target in made for path in target.rglob("*"))
        yield {run_dir: str(target) for _, target, run_dir in moves}, count
    except BaseException:
        for target in made:
            shutil.rmtree(target, ignore_errors=True)
        raise
