"""Job stores from what a project file says about them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobflow import JobStore
from monty.json import MontyDecoder

from towline.errors import ConfigurationError

# Loaded so that jobflow finds the class by its name among the stores of maggma.
from towline.store.job_store import SQLStore

#: Type of the store in the queue's database, in project files.
_SQL = "sql"


def job_store_from_document(document: Mapping[str, Any], queue_place: Path | str, collection: str) -> JobStore:
    """A job store, not connected.

    Parameters
    ----------
    document
        jobflow's short form (``docs_store``, ``additional_stores``), where the type ``sql`` is the queue's database, or
        a serialized store (``@module``, ``@class``).
    queue_place
        The database that ``sql`` means.
    collection
        Where in it the outputs are; the additional store NAME is in ``<collection>.NAME``.

    Raises
    ------
    ConfigurationError
        There is no such kind of store, or it does not accept these values.
    """
    if "@class" in document:
        store = MontyDecoder().process_decoded(dict(document))
        if not isinstance(store, JobStore):
            raise ConfigurationError(
                f"jobstore is a serialized {type(store).__name__}; it should be a jobflow JobStore. "
                "For a single store write jobstore: {docs_store: {type: ...}}"
            )
        return store
    additional = document.get("additional_stores") or {}
    spec = {
        "docs_store": _spec(document["docs_store"], queue_place, collection),
        "additional_stores": {
            name: _spec(part, queue_place, f"{collection}.{name}") for name, part in additional.items()
        },
    }
    options = {key: document[key] for key in ("save", "load") if key in document}
    try:
        return JobStore.from_dict_spec(spec, **options)
    # Stores of maggma raise what they like about their arguments.
    except Exception as error:
        raise ConfigurationError(
            f"the job store cannot be made ({type(error).__name__}: {error}); `tow project show` prints its settings"
        ) from error


def _spec(part: Mapping[str, Any], queue_place: Path | str, collection: str) -> dict[str, Any]:
    if part.get("type") != _SQL:
        return dict(part)
    return {**part, "type": SQLStore.__name__, "path": str(queue_place), "collection": collection}
