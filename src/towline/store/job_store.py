"""The SQL job store: a maggma Store on a collection of the project's database.

It answers like maggma's MemoryStore and MongoStore, from the file that the queue uses too: writers take short turns,
readers never wait. This file owns the import of maggma.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maggma.core import Sort, Store, StoreError
from monty.json import jsanitize
from pydash import get, has, set_

from towline.errors import InvalidCriteria
from towline.store.collection import Collection, Document
from towline.store.database import Database
from towline.store.dialect import without_password
from towline.store.document_values import MISSING, Projection, order_key, path_parts, values_at
from towline.store.documents import additional_collection

if TYPE_CHECKING:
    from jobflow import JobStore


def sql_job_store(path: str | Path, collection: str = "outputs", additional: Sequence[str] = ("data",)) -> "JobStore":
    """jobflow's JobStore on a project's database.

    Parameters
    ----------
    path
        The database, a path or a URL as :class:`towline.store.database.Database` takes it; a file is made when it does
        not exist.
    collection
        Where the output documents are.
    additional
        Names of additional stores; NAME has the collection ``<collection>.NAME``.
    """
    # Only who wants a JobStore pays for jobflow.
    from jobflow import JobStore

    stores: dict[str, Store] = {
        name: SQLStore(path, additional_collection(collection, name), key="blob_uuid") for name in additional
    }
    return JobStore(SQLStore(path, collection), additional_stores=stores)


class SQLStore(Store):
    """A collection of documents in a project's database; safe to use from several threads and processes.

    Parameters
    ----------
    path
        The database, a path or a URL as :class:`towline.store.database.Database` takes it; a file is made when it does
        not exist.
    collection
        Name of the collection: "outputs" has the outputs of jobs, "outputs.NAME" an additional store NAME.
    key
        Field that identifies a document, unless :meth:`update` is told otherwise.
    **kwargs
        What every Store of maggma takes: last_updated_field, last_updated_type, validator.
    """

    def __init__(self, path: str | Path, collection: str = "outputs", key: str = "uuid", **kwargs: Any) -> None:
        self.path = str(path)
        self.collection = collection
        self.kwargs = kwargs
        self._opened: Collection | None = None
        super().__init__(key=key, **kwargs)

    @property
    def name(self) -> str:
        """Where the database is, and the collection."""
        return f"sql://{without_password(self.path)}/{self.collection}"

    @property
    def _collection(self) -> Collection:
        if self._opened is None:
            raise StoreError(f"{self.name} is not connected; call connect() first.")
        return self._opened

    def connect(self, force_reset: bool = False) -> None:
        """Open the database.

        Raises
        ------
        towline.errors.StoreError
            It cannot be opened or made.
        """
        if force_reset:
            self.close()
        if self._opened is None:
            self._opened = Collection(Database(_place(self.path)), self.collection)

    def close(self) -> None:
        """Close the database."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def count(self, criteria: Mapping[str, Any] | None = None) -> int:
        """Number of documents that meet `criteria`.

        Raises
        ------
        InvalidCriteria
            The criteria cannot be answered.
        """
        return self._collection.count(criteria)

    def query(
        self,
        criteria: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | Sequence[str] | None = None,
        sort: Mapping[str, Sort | int] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[Document]:
        """Documents that meet `criteria`.

        Parameters
        ----------
        criteria
            MongoDB's query language; :mod:`towline.store.criteria` says what of it.
        properties
            Fields to give, or ``{field: 0}`` for fields not to give; None for all.
        sort
            ``{path: 1 or -1}``; without it, in the order in which they were stored.
        skip
            Number of documents to leave out at the beginning.
        limit
            Largest number of documents; 0 for all.

        Raises
        ------
        InvalidCriteria
            The criteria, properties or sort cannot be answered.
        """
        if not all(isinstance(number, int) and number >= 0 for number in (skip, limit)):
            raise InvalidCriteria(f"skip and limit are numbers of documents, not {skip!r} and {limit!r}.")
        project = Projection(properties)
        return map(project, self._collection.find(criteria, _order(sort), skip, limit))

    def distinct(self, field: str, criteria: Mapping[str, Any] | None = None, all_exist: bool = False) -> list[Any]:
        """Values of a field, each once; the elements of an array count one by one.

        Parameters
        ----------
        all_exist
            Means nothing; maggma's stores have it.

        Raises
        ------
        InvalidCriteria
            The criteria cannot be answered.
        """
        parts = path_parts(field)
        found: dict[Any, Any] = {}
        for document in self._collection.find(criteria):
            for value in values_at(document, parts):
                for item in value if isinstance(value, list) else [value]:
                    if item is not MISSING:
                        found.setdefault(order_key(item), item)
        return list(found.values())

    def groupby(
        self,
        keys: Sequence[str] | str,
        criteria: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | Sequence[str] | None = None,
        sort: Mapping[str, Sort | int] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> Iterator[tuple[Document, list[Document]]]:
        """``(keys and their values, documents with them)``; documents that lack a key are in no group.

        Parameters are those of :meth:`query`; the documents have the fields `keys` and `properties`.

        Raises
        ------
        InvalidCriteria
            The criteria, properties or sort cannot be answered.
        """
        names = [keys] if isinstance(keys, str) else list(keys)
        wanted = list(dict.fromkeys([*names, *(properties or ())]))
        return _groups(names, self.query(criteria, wanted, sort, skip, limit))

    def update(self, docs: Any, key: Sequence[str] | str | None = None) -> None:
        """Store a document, or a list of them; each replaces the first one with the same key, or is added.

        Parameters
        ----------
        key
            Field or list of fields that identify a document; None for the store's own.

        Raises
        ------
        KeyError
            A document lacks the key.
        InvalidRequest
            A document cannot be stored.
        ValueError
            The validator of the store is strict and refuses a document.
        """
        names = key or self.key
        documents = [
            jsanitize(document, allow_bson=True, recursive_msonable=True)
            for document in (docs if isinstance(docs, list) else [docs])
        ]
        self._collection.put(filter(self._is_valid, documents), [names] if isinstance(names, str) else names)

    def remove_docs(self, criteria: Mapping[str, Any]) -> None:
        """Remove the documents that meet `criteria`; only ``{}`` means all of them.

        Raises
        ------
        InvalidCriteria
            The criteria cannot be answered.
        """
        self._collection.remove(criteria)

    def ensure_index(self, key: str, unique: bool = False) -> bool:
        """Make queries for plain values of a field use an index.

        Returns
        -------
        bool
            Whether there is one. There is none for a field with an unusual name, and no unique one.
        """
        return not unique and self._collection.ensure_index(key)

    def __eq__(self, other: object) -> bool:
        """Whether `other` is a store of the same collection in the same database."""
        return isinstance(other, SQLStore) and all(
            getattr(self, name) == getattr(other, name) for name in ("path", "collection", "last_updated_field")
        )

    def __hash__(self) -> int:
        return hash((self.path, self.collection, self.last_updated_field))

    def _is_valid(self, document: Document) -> bool:
        if self.validator is None or self.validator.is_valid(document):
            return True
        errors = self.validator.validation_errors(document)
        # Validators say whether they are strict; maggma's abstract class does not.
        if getattr(self.validator, "strict", False):
            raise ValueError(errors)
        self.logger.error(errors)
        return False


def _place(path: str) -> str | Path:
    return path if "://" in path else Path(path).expanduser()


def _order(sort: Mapping[str, Sort | int] | None) -> list[tuple[str, bool]]:
    """``(path, whether descending)`` of each key."""
    if sort is not None and not isinstance(sort, Mapping):
        raise InvalidCriteria(f"sort is a mapping like {{'index': -1}}, not {sort!r}.")
    order = []
    for path, direction in (sort or {}).items():
        number = direction.value if isinstance(direction, Sort) else direction
        if number not in (1, -1):
            raise InvalidCriteria(f"sort has {path!r}: {direction!r}; write 1 for ascending, -1 for descending.")
        order.append((path, number == -1))
    return order


def _groups(names: Sequence[str], documents: Iterator[Document]) -> Iterator[tuple[Document, list[Document]]]:
    def values(document: Document) -> tuple[Any, ...]:
        return tuple(order_key(get(document, name)) for name in names)

    whole = [document for document in documents if all(has(document, name) for name in names)]
    for _, group in groupby(sorted(whole, key=values), key=values):
        members = list(group)
        key: Document = {}
        for name in names:
            set_(key, name, get(members[0], name))
        yield key, members
