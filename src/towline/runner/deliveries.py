"""Files that commands left on one worker, for jobs that use them on another: brought before the job is handed over.

A job names such a file by a reference to the output of the command. What the references of a job lead to is brought,
and in the outputs that it is given the paths are those where it runs. Meanwhile it is CHECKED_OUT.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from towline.core.output_references import is_reference, resolve
from towline.core.ports import Couriers, Delivery
from towline.core.records import FileElsewhere
from towline.runner.setup import Setup
from towline.store.database import Database
from towline.store.jobs import QueuedJob

#: ``(uuid, index, output as JSON)``
Reference = tuple[str, int, bytes]

#: Only an output with this text names files.
_SIGN = b'"sha256"'


@dataclass(frozen=True, slots=True)
class Awaited:
    """A claimed job whose files are on their way."""

    job: QueuedJob
    payload: bytes
    references: tuple[Reference, ...]
    delivery: Delivery


def files_elsewhere(
    database: Database, couriers: Couriers, job: QueuedJob, payload: bytes, references: Sequence[Reference]
) -> list[FileElsewhere]:
    """The files that a job uses and that the worker of the job does not have."""
    outputs = {uuid: orjson.loads(output) for uuid, _, output in references if _SIGN in output}
    if not outputs:
        return []
    known: dict[str, FileElsewhere] = {}
    for uuid, worker in _workers_of_commands(database, list(outputs)):
        if couriers.are_needed(worker, job.worker):
            known |= {file.path: file for file in _files_of(outputs[uuid], worker)}
    if not known:
        return []
    everything = {uuid: outputs.get(uuid) or orjson.loads(output) for uuid, _, output in references}
    used = {text for reference in _references_in(orjson.loads(payload)) for text in _texts_of(reference, everything)}
    return [file for path, file in known.items() if path in used]


def with_places(references: Sequence[Reference], places: Mapping[str, str]) -> list[Reference]:
    """The outputs, in which the files have the paths that they have where the job runs."""
    return [
        (uuid, index, orjson.dumps(_replaced(orjson.loads(output), places)) if _SIGN in output else output)
        for uuid, index, output in references
    ]


class Deliveries:
    """The jobs whose files are on their way."""

    def __init__(self) -> None:
        self._awaited: dict[str, Awaited] = {}

    def __bool__(self) -> bool:
        return bool(self._awaited)

    def add(self, awaited: Awaited) -> None:
        """A job waits for its files."""
        self._awaited[awaited.job.key] = awaited

    def take(self, wanted: Callable[[str], bool]) -> list[Awaited]:
        """Those whose files are there, or cannot come; nobody waits for the ones that are not `wanted` any more."""
        for key in [key for key in self._awaited if not wanted(key)]:
            self._awaited.pop(key).delivery.give_up()
        arrived = [key for key, awaited in self._awaited.items() if awaited.delivery.done()]
        return [self._awaited.pop(key) for key in arrived]

    def statuses(self, setup: Setup) -> dict[str, dict[str, Any]]:
        """What the workers say of themselves, and why jobs wait here before they are handed over to them."""
        told = {name: dict(place.worker.status()) for name, place in setup.places.items()}
        for key, item in self._awaited.items():
            facts = told.get(item.job.worker, {})
            facts["reasons"] = {**facts.get("reasons", {}), key: item.delivery.reason}
        return told


def _workers_of_commands(database: Database, uuids: Sequence[str]) -> list[tuple[str, str]]:
    rows = database.read(
        "SELECT uuid, worker FROM job WHERE payload_kind = 'command' "
        "AND uuid IN (SELECT value FROM json_each(?)) ORDER BY job_index",
        (orjson.dumps(list(uuids)).decode(),),
    )
    return list(dict(rows).items())


def _files_of(output: Any, worker: str) -> Iterator[FileElsewhere]:
    entries = output.get("files") if isinstance(output, dict) else None
    for entry in entries.values() if isinstance(entries, dict) else ():
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and isinstance(entry.get("sha256"), str):
            yield FileElsewhere(worker, entry["path"], int(entry.get("size_bytes") or 0), entry["sha256"])


def _references_in(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _references_in(item)
    elif isinstance(value, dict):
        if is_reference(value):
            yield value
        else:
            for item in value.values():
                yield from _references_in(item)


def _texts_of(reference: Mapping[str, Any], outputs: Mapping[str, Any]) -> Iterator[str]:
    """Every text in what a reference leads to."""
    try:
        found = resolve(reference, outputs)
    except LookupError:
        return  # the job itself tells what it misses
    waiting = [found]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict) and is_reference(value):
            yield from _texts_of(value, outputs)
        elif isinstance(value, dict):
            waiting.extend(value.values())


def _replaced(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return places.get(value, value)
    if isinstance(value, list):
        return [_replaced(item, places) for item in value]
    if isinstance(value, dict):
        return {key: _replaced(item, places) for key, item in value.items()}
    return value
