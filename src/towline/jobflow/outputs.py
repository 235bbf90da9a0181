"""A project's job store in any maggma store, as the runner uses it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jobflow import JobStore

from towline.core.documents import decode, encode
from towline.core.output_references import uuids_in
from towline.errors import ConfigurationError, StoreError


class MaggmaOutputs:
    """Implements :class:`towline.core.ports.Outputs` on a connected :class:`jobflow.JobStore`."""

    transactional = False

    def __init__(self, job_store: JobStore) -> None:
        self._store = job_store
        self._parts: Mapping[str, Any] = job_store.additional_stores

    def load(self, connection: Any, uuids: Sequence[str]) -> Mapping[str, tuple[int, bytes]]:
        """``{uuid: (index, output as JSON)}`` of the newest index of each uuid, and of those that they refer to.

        The output of a job that was replaced by a flow consists of references to the outputs of that flow.

        Raises
        ------
        StoreError
            The store does not answer.
        """
        found: dict[str, tuple[int, bytes]] = {}
        wanted = list(uuids)
        with _store_errors("read"):
            while wanted:
                loaded = self._newest(wanted)
                found.update(loaded)
                inner = (uuid for _, output in loaded.values() for uuid in uuids_in(output))
                wanted = [uuid for uuid in dict.fromkeys(inner) if uuid not in found]
        return found

    def store(self, transaction: Any, output: bytes, additional: Sequence[tuple[str, bytes]]) -> None:
        """Put the output document of a job, and its large parts into the additional stores first.

        Raises
        ------
        ConfigurationError
            There is no additional store of that name.
        StoreError
            The store does not take the document.
        """
        for name, document in additional:
            part = self._parts.get(name)
            if part is None:
                known = ", ".join(sorted(self._parts)) or "none"
                raise ConfigurationError(
                    f"the job store has no additional store {name!r} (it has {known}); add it under additional_stores "
                    "of the project's jobstore"
                )
            with _store_errors("written"):
                part.update(decode(document), key="blob_uuid")
        with _store_errors("written"):
            self._store.docs_store.update(decode(output), key=["uuid", "index"])

    def _newest(self, uuids: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        criteria: dict[str, Any] = {"uuid": {"$in": list(uuids)}}
        newest: dict[str, int] = {}
        for document in self._store.query(criteria, properties=["uuid", "index"], load=False):
            newest[document["uuid"]] = max(document["index"], newest.get(document["uuid"], 0))
        if not newest:
            return {}
        exactly = {"$or": [{"uuid": uuid, "index": index} for uuid, index in newest.items()]}
        documents = self._store.query(exactly, properties=["uuid", "index", "output"], load=True)
        return {document["uuid"]: (document["index"], encode(document.get("output"))) for document in documents}


@contextmanager
def _store_errors(what: str) -> Iterator[None]:
    try:
        yield
    # Every maggma store brings the errors of its own driver.
    except Exception as error:
        raise StoreError(f"the job store cannot be {what}: {type(error).__name__}: {error}") from error
