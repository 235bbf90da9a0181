"""The job store that a job sees while it runs: the outputs it refers to, and a place for its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow import JobStore
from maggma.core import Store
from maggma.stores import MemoryStore

from towline.core.documents import decode
from towline.errors import InvalidRequest


class ReferenceStore(Store):
    """Documents ``{"uuid", "index", "output"}`` of the outputs that a job refers to; what is written is kept apart.

    With `expose_store` a job can query it, with every criterion of MongoDB, through `CURRENT_JOB.store`. It sees only
    the outputs that its arguments refer to: a job on a worker has no access to the job store of the project.
    """

    def __init__(self, references: Mapping[str, tuple[int, bytes]] | None = None) -> None:
        super().__init__(key="uuid")
        self._references = references or {}
        self._decoded: dict[str, dict[str, Any]] = {}
        #: Documents that were written.
        self.written: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        """Name for messages."""
        return "outputs of the parents"

    @property
    def _collection(self) -> Any:
        raise InvalidRequest("the store of a running job has no collection; use its query methods")

    def connect(self, force_reset: bool = False) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def query(
        self,
        criteria: dict[str, Any] | None = None,
        properties: dict[str, Any] | list[str] | None = None,
        sort: dict[str, Any] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[dict[str, Any]]:
        """Documents that match; jobflow's own questions are answered at once, everything else by a memory store."""
        uuid = (criteria or {}).get("uuid")
        if isinstance(uuid, str) and set(criteria or {}) == {"uuid"} and skip == 0:
            if uuid in self._references:
                yield dict(self._document(uuid))
            return
        yield from self._memory().query(criteria, properties=properties, sort=sort, skip=skip, limit=limit)

    def count(self, criteria: dict[str, Any] | None = None) -> int:
        """Number of documents that match."""
        return int(self._memory().count(criteria))

    def groupby(self, *arguments: Any, **keywords: Any) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
        """As in every maggma store."""
        yield from self._memory().groupby(*arguments, **keywords)

    def update(self, docs: list[dict[str, Any]] | dict[str, Any], key: Any = None) -> None:
        """Keep documents for the result."""
        self.written.extend(docs if isinstance(docs, list) else [docs])

    def ensure_index(self, key: str, unique: bool = False) -> bool:
        """Nothing to do: there is nothing to search."""
        return True

    def remove_docs(self, criteria: dict[str, Any]) -> None:
        """Refuse: the outputs of other jobs are not this job's to remove."""
        raise InvalidRequest("a running job cannot remove outputs; use get_jobstore() outside the job")

    def _document(self, uuid: str) -> dict[str, Any]:
        if uuid not in self._decoded:
            index, output = self._references[uuid]
            self._decoded[uuid] = {"uuid": uuid, "index": index, "output": decode(output)}
        return self._decoded[uuid]

    def _memory(self) -> MemoryStore:
        store = MemoryStore()
        store.connect()
        if self._references:
            store.update([self._document(uuid) for uuid in self._references], key=["uuid", "index"])
        return store


class _AdditionalStores(dict[str, Any]):
    """Additional stores of any name: whether the project has them was checked before the job was stored."""

    def __missing__(self, name: str) -> ReferenceStore:
        store = ReferenceStore()
        store.key = "blob_uuid"
        self[name] = store
        return store


class CapturingJobStore(JobStore):
    """The job store of one running job."""

    def __init__(self, references: Mapping[str, tuple[int, bytes]]) -> None:
        self._own = ReferenceStore(references)
        self._parts = _AdditionalStores()
        super().__init__(self._own, additional_stores=self._parts)

    @property
    def document(self) -> dict[str, Any]:
        """The output document that the job wrote."""
        return dict(self._own.written[-1])

    @property
    def additional_documents(self) -> list[tuple[str, dict[str, Any]]]:
        """``(store name, document)`` of the large parts of the output."""
        return [(name, document) for name, store in self._parts.items() for document in store.written]
