"""A collection of documents in table `document`: finding by criteria, storing, removing, indexes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import orjson

from towline.core.documents import decode, encode
from towline.errors import InvalidCriteria, InvalidRequest
from towline.store.criteria import Matcher, matcher, stored_time
from towline.store.criteria_sql import KEY_FUNCTION, SqlField, json_field, key_field, prefilter, text
from towline.store.database import Database, Transaction
from towline.store.document_values import path_parts, sort_key
from towline.store.documents import COLUMN_FIELDS, identity

Document = dict[str, Any]

#: Paths to sort by, and whether descending.
Order = Sequence[tuple[str, bool]]

#: Documents written in one transaction: other writers wait for it.
_WRITTEN_AT_ONCE = 500

#: Documents read at once, and about how many bytes of them when they are large.
_READ_AT_ONCE, _BYTES_AT_ONCE = 500, 4_000_000

#: Bytes in the name of an index of PostgreSQL.
_LONGEST_NAME = 63

_INSERT = "INSERT INTO document (collection, uuid, job_index, name, body) VALUES (?, ?, ?, ?, ?)"
_UPDATE = "UPDATE document SET uuid = ?, job_index = ?, name = ?, body = ? WHERE id = ?"
_BODIES = "SELECT id, body FROM document WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"


class Collection:
    """A collection; safe to use from several threads and processes.

    Every document has an ``_id``: its own, or an object id made of the number of its row. Times come back as MongoDB
    gives them, in UTC without a time zone.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self.name = name
        # An index with a condition is used only where the same condition stands, not a parameter.
        self._here = f"collection = {text(name)}"
        self._index_prefix = f"document of {name} by "
        self._in_postgresql = database.dialect.kind == "postgresql"
        self._field_at: Callable[[str], SqlField | None] = key_field if self._in_postgresql else json_field
        self._fields = self._known_fields()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def count(self, criteria: Mapping[str, Any] | None = None) -> int:
        """Number of documents that meet `criteria`."""
        if not criteria:
            matcher(criteria)
            return int(self._database.read(f"SELECT count(*) FROM document WHERE {self._here}")[0][0])
        return sum(1 for _ in self._matching(criteria))

    def find(
        self, criteria: Mapping[str, Any] | None = None, order: Order = (), skip: int = 0, limit: int = 0
    ) -> Iterator[Document]:
        """Documents that meet `criteria`, of those that were there at the call; without `order`, the oldest first.

        Parameters
        ----------
        skip
            Number of documents to leave out at the beginning.
        limit
            Largest number of documents; 0 for all.

        Raises
        ------
        InvalidCriteria
            The criteria cannot be answered.
        """
        end = skip + limit if limit else None
        if not order:
            return (document for _, document in islice(self._matching(criteria), skip, end))
        # The documents are read again after sorting: together they may be larger than the memory.
        numbers = self._sorted(self._matching(criteria), order)[skip:end]
        return self._again(numbers, matcher(criteria))

    def put(self, documents: Iterable[Document], key: Sequence[str]) -> None:
        """Store `documents`; each replaces the first one with the same values of `key`, or is added.

        Raises
        ------
        KeyError
            A document lacks the key; nothing is stored.
        InvalidRequest
            A document cannot be stored; none is.
        """
        entries = [_entry(document, key) for document in documents]
        if entries and not any(name in self._fields for name in key):
            self.ensure_index(key[0])
        for start in range(0, len(entries), _WRITTEN_AT_ONCE):
            with self._database.transaction() as transaction:
                for columns, body, criteria in entries[start : start + _WRITTEN_AT_ONCE]:
                    self._put(transaction, columns, body, criteria)

    def remove(self, criteria: Mapping[str, Any]) -> None:
        """Remove the documents that meet `criteria`; only ``{}`` means all of them.

        Raises
        ------
        InvalidCriteria
            The criteria cannot be answered.
        """
        if criteria is None:
            raise InvalidCriteria("say which documents to remove; {} stands for all of them.")
        matches = matcher(criteria)
        for numbers in _chunks([number for number, _ in self._matching(criteria)], _WRITTEN_AT_ONCE):
            with self._database.transaction() as transaction:
                # Between looking and removing, somebody may have changed them.
                rows = transaction.execute(_BODIES, (_json(numbers),)).fetchall()
                still = [(number,) for number, body in rows if matches(_document(number, body))]
                transaction.executemany("DELETE FROM document WHERE id = ?", still)

    def ensure_index(self, path: str) -> bool:
        """Make queries for plain values at a path use an index; False when the path has unusual names."""
        path_parts(path)
        if path in self._fields:
            return True
        field = self._field_at(path)
        name = (self._index_prefix + path).replace('"', '""')
        if field is None or (self._in_postgresql and len(name.encode()) > _LONGEST_NAME):
            return False
        with self._database.transaction() as transaction:
            if self._in_postgresql:
                transaction.execute(KEY_FUNCTION)
            transaction.execute(
                f'CREATE INDEX IF NOT EXISTS "{name}" ON document (collection, {field.expression}) WHERE {self._here}'
            )
        self._fields = self._known_fields()
        return True

    def _known_fields(self) -> dict[str, SqlField]:
        names = self._database.index_names("document")
        paths = [name.removeprefix(self._index_prefix) for name in names if name.startswith(self._index_prefix)]
        indexed = {path: field for path in paths if (field := self._field_at(path)) is not None}
        return {**indexed, **COLUMN_FIELDS}

    def _numbers(self, read: Callable[..., Any], criteria: Mapping[str, Any] | None) -> list[int]:
        """Rows that may meet `criteria`, the oldest first."""
        condition = prefilter(criteria, self._fields)
        if not condition.sql:
            return sorted(number for (number,) in read(f"SELECT id FROM document WHERE {self._here}"))
        conditions = [condition.sql, *sorted(condition.unknown)]
        sql = " UNION ".join(f"SELECT id FROM document WHERE {self._here} AND ({part})" for part in conditions)
        return sorted(number for (number,) in read(sql, condition.parameters))

    def _matching(self, criteria: Mapping[str, Any] | None) -> Iterator[tuple[int, Document]]:
        matches = matcher(criteria)
        return self._read(self._numbers(self._database.read, criteria), matches)

    def _read(self, numbers: Sequence[int], matches: Matcher) -> Iterator[tuple[int, Document]]:
        start, size = 0, 4
        while start < len(numbers):
            rows = self._database.read(_BODIES, (_json(numbers[start : start + size]),))
            for number, body in rows:
                document = _document(number, body)
                if matches(document):
                    yield number, document
            start += size
            average = sum(len(body) for _, body in rows) // max(len(rows), 1) + 1
            size = max(1, min(_READ_AT_ONCE, 4 * size, _BYTES_AT_ONCE // average))

    @staticmethod
    def _sorted(found: Iterable[tuple[int, Document]], order: Order) -> list[int]:
        paths = [(path_parts(path), descending) for path, descending in order]
        keyed = [
            (number, [sort_key(document, parts, descending=descending) for parts, descending in paths])
            for number, document in found
        ]
        for position in reversed(range(len(paths))):
            keyed.sort(key=lambda entry: entry[1][position], reverse=paths[position][1])
        return [number for number, _ in keyed]

    def _again(self, numbers: Sequence[int], matches: Matcher) -> Iterator[Document]:
        for chunk in _chunks(numbers, _READ_AT_ONCE):
            documents = dict(self._read(sorted(chunk), matches))
            yield from (documents[number] for number in chunk if number in documents)

    def _put(self, transaction: Transaction, columns: Sequence[Any], body: bytes, criteria: Mapping[str, Any]) -> None:
        matches = matcher(criteria)
        for number in self._numbers(transaction.execute, criteria):
            ((old_body,),) = transaction.execute("SELECT body FROM document WHERE id = ?", (number,))
            if matches(_document(number, old_body)):
                transaction.execute(_UPDATE, (*columns, body, number))
                return
        transaction.execute(_INSERT, (self.name, *columns, body))


def _entry(document: Document, key: Sequence[str]) -> tuple[Sequence[Any], bytes, Mapping[str, Any]]:
    """Columns and body of a document, and criteria for the one that it replaces."""
    criteria = {name: {"$eq": document[name]} for name in key}
    for name in document:
        if name.startswith("$"):
            raise InvalidRequest(f"the document has the field {name!r}; names with $ are operators. Rename it.")
    # An object id is the number that a document has in some store; here it gets another one.
    stored = {name: value for name, value in document.items() if name != "_id" or type(value).__name__ != "ObjectId"}
    return identity(stored), encode(stored), criteria


def _document(number: int, body: bytes) -> Document:
    # Whoever reads documents has bson through maggma; the light path does not get here.
    from bson.objectid import ObjectId

    document: Document = decode(body)
    if b'"$date"' in body:
        document = _with_stored_times(document)
    document.setdefault("_id", ObjectId(f"{number:024x}"))
    return document


def _with_stored_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_stored_times(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_stored_times(item) for item in value]
    return stored_time(value) if isinstance(value, datetime) else value


def _chunks(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def _json(numbers: Sequence[int]) -> str:
    return orjson.dumps(numbers).decode()
