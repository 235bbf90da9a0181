"""A queue as a folder of files, which any kind of database can be filled from.

For each table there is a file with one row on each line, as a JSON array; bytes are written in base64. `manifest.json`
says what is there. It is written last: a folder without it is no backup.
"""

import base64
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

from towline.errors import SchemaTooNew, StoreError
from towline.store.database import Database, Transaction
from towline.store.migrations import SCHEMA_VERSION

#: Called with how many rows of how many are done.
Progress = Callable[[int, int], None]

MANIFEST = "manifest.json"
_FORMAT = 1
_ROWS_AT_ONCE = 500

#: Not part of a backup: the version is in the manifest, and who holds the lease now is no property of the queue.
_LEFT_OUT = frozenset({"meta", "runner"})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a backup."""

    format: int
    schema_version: int
    created_at: str
    place: str
    compressed: bool
    #: ``{table: its columns}``.
    columns: Mapping[str, Sequence[str]]
    #: ``{table: number of its rows}``.
    rows: Mapping[str, int]
    #: ``{table: largest number that a row of it ever had}``, so that no number is given twice.
    last_ids: Mapping[str, int]

    @property
    def total(self) -> int:
        """Number of all rows."""
        return sum(self.rows.values())


def write(database: Database, folder: Path, *, compress: bool = False, progress: Progress | None = None) -> Manifest:
    """Write everything in `database` as it is at this moment; others go on writing meanwhile.

    Raises
    ------
    StoreError
        There is a backup in `folder` already, or it cannot be written.
    """
    if (folder / MANIFEST).exists():
        raise StoreError(f"{folder} has a backup already; name another folder, or delete that one.")
    columns = _columns_by_table()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with database.snapshot() as connection:
            rows = {table: _count(connection, table) for table in columns}
            total, done = sum(rows.values()), 0
            for table, names in columns.items():
                with _opened(folder / _file_name(table, compress), "wb") as file:
                    query = f"SELECT {', '.join(names)} FROM {table}"
                    for number, row in enumerate(database.dialect.stream(connection, query), start=1):
                        file.write(orjson.dumps(row, default=_encoded) + b"\n")
                        if progress is not None and number % _ROWS_AT_ONCE == 0:
                            progress(done + number, total)
                done += rows[table]
            numbered = [table for table, names in columns.items() if "id" in names]
            last_ids = {table: database.dialect.last_id(connection, table) for table in numbered}
        manifest = Manifest(
            *(_FORMAT, SCHEMA_VERSION, datetime.now(UTC).isoformat(), database.place, compress),
            *(columns, rows, last_ids),
        )
        partial = folder / f"{MANIFEST}.part"
        partial.write_bytes(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
        partial.rename(folder / MANIFEST)
    except OSError as error:
        raise StoreError(f"the backup could not be written to {folder} ({error}).") from error
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """What is in a backup.

    Raises
    ------
    StoreError
        There is none, or it is damaged.
    SchemaTooNew
        A newer towline wrote it.
    """
    try:
        manifest = Manifest(**orjson.loads((folder / MANIFEST).read_bytes()))
    except FileNotFoundError as error:
        raise StoreError(
            f"{folder} has no backup: {MANIFEST} is missing. Name the folder of `tow backup create`."
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if manifest.schema_version > SCHEMA_VERSION or manifest.format > _FORMAT:
        raise SchemaTooNew(
            f"the backup in {folder} has schema version {manifest.schema_version}; this towline knows versions up to "
            f"{SCHEMA_VERSION}. Upgrade it: pip install --upgrade towline."
        )
    return manifest


def rows_in(database: Database) -> int:
    """Number of rows that a restore would replace."""
    return sum(_count(database.connection, table) for table in _columns_by_table())


def restore(database: Database, folder: Path, *, progress: Progress | None = None) -> Manifest:
    """Put what a backup holds in the place of everything that is in `database`, in one transaction.

    Raises
    ------
    StoreError
        The backup is damaged; nothing was changed.
    """
    manifest = read_manifest(folder)
    try:
        if manifest.schema_version < SCHEMA_VERSION:
            # Rows of an older schema go into its tables, and are brought to the newest one with them.
            from towline.store.migrations.upgrade import rebuild, upgrade

            rebuild(database, manifest.schema_version, lambda fill: _fill(fill, manifest, folder, progress))
            upgrade(database)
        else:
            with database.transaction() as transaction:
                for table in _columns_by_table():
                    transaction.execute(f"DELETE FROM {table}")
                _fill(transaction, manifest, folder, progress)
    except (OSError, EOFError, ValueError) as error:
        raise StoreError(f"the backup in {folder} is damaged ({error}); nothing was changed.") from error
    return manifest


def _fill(transaction: Transaction, manifest: Manifest, folder: Path, progress: Progress | None) -> None:
    done = 0
    for table, names in manifest.columns.items():
        insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        stored = 0
        for rows in _batches(folder / _file_name(table, manifest.compressed)):
            transaction.executemany(insert, rows)
            stored += len(rows)
            if progress is not None:
                progress(done + stored, manifest.total)
        done += stored
        if stored != manifest.rows[table]:
            raise StoreError(
                f"the backup in {folder} is damaged: {table} has {stored} rows of {manifest.rows[table]}; "
                "nothing was changed."
            )
    for table, names in manifest.columns.items():
        if "id" in names:
            largest = transaction.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
            transaction.set_last_id(table, max(largest, manifest.last_ids.get(table, 0)))


def _batches(path: Path) -> Iterator[list[list[Any]]]:
    rows: list[list[Any]] = []
    with _opened(path, "rb") as file:
        for line in file:
            rows.append([_decoded(value) for value in orjson.loads(line)])
            if len(rows) == _ROWS_AT_ONCE:
                yield rows
                rows = []
    if rows:
        yield rows


def _columns_by_table() -> dict[str, list[str]]:
    from towline.store.tables import metadata  # loads SQLAlchemy, which nothing else needs

    # The names are of a kind of text of SQLAlchemy's own.
    tables = {str(table.name): [str(column.name) for column in table.columns] for table in metadata.sorted_tables}
    return {name: columns for name, columns in tables.items() if name not in _LEFT_OUT}


def _count(connection: Any, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _file_name(table: str, compressed: bool) -> str:
    return f"{table}.jsonl{'.gz' if compressed else ''}"


def _opened(path: Path, mode: str) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, mode)  # type: ignore[return-value]  # of a mode with b, a file of bytes
    return path.open(mode)


def _encoded(value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} in a table")


def _decoded(value: Any) -> Any:
    return base64.b64decode(value["bytes"]) if isinstance(value, dict) else value
