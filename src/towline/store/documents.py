"""Documents of the SQL job store: the rows of table `document`, and the runner's door to them.

A document is found by three columns without reading its body. Each holds the value of one of two fields, one of outputs
of jobs and one of the large parts that additional stores keep. NULL says: look in the body.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from towline.core.json_members import member
from towline.core.output_references import uuids_in
from towline.errors import StoreError
from towline.store.criteria_sql import SqlField

#: ``{column: fields}`` of a document. The value of a column is that of the field that the document has.
COLUMNS: Mapping[str, tuple[str, str]] = {
    "uuid": ("uuid", "blob_uuid"),
    "job_index": ("index", "job_index"),
    "name": ("name", "job_uuid"),
}

#: The columns that criteria can use; of the few documents with the same uuid, each is looked at.
COLUMN_FIELDS: Mapping[str, SqlField] = {
    field: SqlField(column, "text", f"{column} IS NULL") for column in ("uuid", "name") for field in COLUMNS[column]
}

_INT64 = range(-(2**63), 2**63)


class Identity(NamedTuple):
    """The columns of a document."""

    uuid: str | None
    job_index: int | None
    name: str | None


def identity(document: Mapping[str, Any]) -> Identity:
    """The columns of a decoded document."""
    uuid, index, name = (_either(document, *fields) for fields in COLUMNS.values())
    return Identity(
        _column_text(uuid),
        index if isinstance(index, int) and not isinstance(index, bool) and index in _INT64 else None,
        _column_text(name),
    )


def _column_text(value: Any) -> str | None:
    """A text that every database has room for; none has it for the character 0."""
    return value if isinstance(value, str) and "\0" not in value else None


def _either(document: Mapping[str, Any], first: str, second: str) -> Any:
    """The value of the one field that is there; with both, only the body can tell."""
    if second not in document:
        return document.get(first)
    return None if first in document else document[second]


def additional_collection(collection: str, store: str) -> str:
    """The collection of an additional store that belongs to `collection`."""
    return f"{collection}.{store}"


def _newest(part: str) -> str:
    return (
        f"SELECT job_index, {part} FROM document "
        "WHERE collection = ? AND uuid = ? AND job_index IS NOT NULL ORDER BY job_index DESC LIMIT 1"
    )


def _blob(part: str) -> str:
    return f"SELECT {part} FROM document WHERE collection = ? AND uuid = ?"


def _array_of(field: str) -> str:
    """SQL of SQLite for the JSON array of `field`, every number in it as it was written, and null.

    Of one path ``json_extract`` gives a value of SQL, which is not JSON any more; of several paths it gives an array.
    No document, being no array, has the second.
    """
    return f"CAST(json_extract(CAST(body AS TEXT), '$.{field}', '$[0]') AS BLOB)"


#: How SQLite is asked for a part of a document.
_IN_SQLITE = (_newest(_array_of("output")), _blob(_array_of("data")))
#: PostgreSQL is asked for the whole: it refuses to look into documents with the character 0.
_ELSEWHERE = (_newest("body"), _blob("body"))


class SqlOutputs:
    """The job store in the database of the queue, as the runner uses it: documents are passed on without decoding them.

    Output and state change in one transaction. This is :class:`towline.core.ports.Outputs`.

    Parameters
    ----------
    collection
        Name of the collection of the outputs; an additional store NAME has the collection ``<collection>.NAME``.
    """

    transactional = True

    def __init__(self, collection: str = "outputs") -> None:
        self._collection = collection

    def load(self, connection: Any, uuids: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """``{uuid: (index, output as JSON)}`` of the newest index of each uuid, and of those that they refer to.

        The output of a job that was replaced by a flow consists of references to the outputs of that flow.

        Raises
        ------
        StoreError
            A part of an output is missing in its additional store.
        """
        newest, _ = _statements(connection)
        found: dict[str, tuple[int, bytes]] = {}
        wanted, asked = list(uuids), set(uuids)
        for uuid in wanted:  # grows while it is gone through
            row = connection.execute(newest, (self._collection, uuid)).fetchone()
            if row is not None:
                found[uuid] = (row[0], self._whole(connection, uuid, _part(row[1], "output")))
                inner = [other for other in uuids_in(found[uuid][1]) if other not in asked]
                wanted.extend(inner)
                asked.update(inner)
        return found

    def store(self, transaction: Any, output: bytes, additional: Sequence[tuple[str, bytes]]) -> None:
        """Put the output document of a job, and its large parts. Storing the same document again replaces it.

        Raises
        ------
        StoreError
            A document is no JSON that can be read again.
        """
        for name, document in additional:
            self._put(transaction, additional_collection(self._collection, name), document)
        self._put(transaction, self._collection, output)

    @staticmethod
    def _put(transaction: Any, collection: str, document: bytes) -> None:
        try:
            decoded = orjson.loads(document)
        except orjson.JSONDecodeError as error:
            raise StoreError(f"a document for the collection {collection} is no JSON: {error}.") from error
        if not isinstance(decoded, dict):
            raise StoreError(f"a document for the collection {collection} is no JSON object: {document[:40]!r}.")
        uuid, index, name = identity(decoded)
        _replace(transaction, (document, name, collection, uuid, index))

    def _whole(self, connection: Any, uuid: str, output: bytes) -> bytes:
        """`output` with the parts from additional stores in their places."""
        if b'"blob_uuid"' not in output:
            return output
        decoded = {"output": orjson.loads(output)}
        for place, key, reference in list(_references(decoded)):
            place[key] = orjson.Fragment(self._blob(connection, uuid, reference))
        return orjson.dumps(decoded["output"])

    def _blob(self, connection: Any, uuid: str, reference: Mapping[str, Any]) -> bytes:
        blob_uuid, store = reference["blob_uuid"], reference["store"]
        _, statement = _statements(connection)
        row = connection.execute(statement, (additional_collection(self._collection, store), blob_uuid)).fetchone()
        if row is None:
            raise StoreError(
                f"a part of the output of job {uuid} is missing: the additional store {store!r} has no document "
                f"{blob_uuid}. Run the job again: `tow job rerun {uuid}`."
            )
        return _part(row[0], "data")


_UPDATE = "UPDATE document SET body = ?, name = ? WHERE collection = ? AND uuid = ? AND job_index = ?"
_INSERT = "INSERT INTO document (body, name, collection, uuid, job_index) VALUES (?, ?, ?, ?, ?)"


def _replace(transaction: Any, row: Sequence[Any]) -> None:
    if transaction.execute(_UPDATE, row).rowcount == 0:
        transaction.execute(_INSERT, row)


def _statements(connection: Any) -> tuple[str, str]:
    return _IN_SQLITE if isinstance(connection, sqlite3.Connection) else _ELSEWHERE


def _part(answer: bytes, field: str) -> bytes:
    """`field` out of what the database answered: an array of it and null, or the whole document."""
    return answer[1 : -len(",null]")] if answer.startswith(b"[") else member(answer, field)


def _references(value: Any) -> Iterable[tuple[Any, Any, Mapping[str, Any]]]:
    """``(dictionary or list, key or position, reference)`` of every reference to an additional store."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict) and isinstance(item.get("blob_uuid"), str) and "store" in item:
            yield value, key, item
        elif isinstance(item, (dict, list)):
            yield from _references(item)
