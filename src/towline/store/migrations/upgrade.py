"""Bringing the tables of a database to the newest schema, in one transaction.

Alembic finds the revisions and carries out their operations; the number of the last one stands in table `meta`, where
whoever opens the database reads it without Alembic.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, MetaData, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from towline.errors import SchemaTooOld, StoreError
from towline.store.database import Database, Transaction
from towline.store.migrations import SCHEMA_VERSION
from towline.store.sqlite_dialect import SQLiteDialect

logger = logging.getLogger(__name__)

#: Where the revisions are.
VERSIONS = Path(__file__).parent / "versions"

_URLS = {"sqlite": "sqlite://", "postgresql": "postgresql+psycopg://"}


@dataclass(frozen=True, slots=True)
class UpgradeStep:
    """One revision that was carried out, or would be."""

    number: int
    #: The first line of its description.
    what: str
    #: Whether an older towline that is running can go on.
    additive: bool
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What came, or would come, of an upgrade."""

    from_version: int
    to_version: int
    steps: tuple[UpgradeStep, ...]
    #: Copy of the SQLite file as it was before.
    copy: Path | None = None


def upgrade(database: Database, *, target: int = SCHEMA_VERSION, dry_run: bool = False, force: bool = False) -> Upgrade:
    """Carry out the revisions after the schema of `database`, up to `target`; other processes wait meanwhile.

    Parameters
    ----------
    dry_run
        Do everything and undo it: nothing has changed afterwards.
    force
        Also while a runner holds the project that does not know the new schema.

    Raises
    ------
    SchemaTooOld
        A runner works with the old schema, and a revision changes what it relies on.
    StoreError
        A revision failed; nothing was changed.
    """
    driver = database.plain_connection()
    engine = create_engine(_URLS[database.dialect.kind], creator=lambda: driver, poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            # Only now: SQLAlchemy begins by rolling back whatever is there.
            database.begin_plain(driver)
            done = _upgrade(connection, database, target, dry_run, force)
            if dry_run:
                connection.rollback()
            else:
                connection.commit()
    except SQLAlchemyError as error:
        raise StoreError(f"{database.place} could not be upgraded, and was not changed: {error}") from error
    finally:
        engine.dispose()
        driver.close()
    if done.steps and not dry_run:
        kept = f"; a copy of the old one is {done.copy}" if done.copy else ""
        logger.info("%s: upgraded from schema %d to %d%s", database.place, done.from_version, done.to_version, kept)
    return done


def rebuild(database: Database, version: int, fill: Callable[[Transaction], None]) -> None:
    """Put the tables of an older schema, with what `fill` stores in them, in the place of all tables.

    It is one transaction.

    Raises
    ------
    StoreError
        It failed.
    """
    driver = database.plain_connection()
    engine = create_engine(_URLS[database.dialect.kind], creator=lambda: driver, poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            database.begin_plain(driver)
            present = MetaData()
            present.reflect(connection)
            present.drop_all(connection)
            for script in revisions():
                if int(script.revision) <= version:
                    _carry_out(connection, script)
            connection.execute(
                text("INSERT INTO meta (key, value) VALUES ('schema_version', :version)"), {"version": str(version)}
            )
            fill(Transaction(database.dialect.adopt_plain(driver), database.dialect, database.clock(), database.actor))
            connection.commit()
    except SQLAlchemyError as error:
        raise StoreError(f"{database.place} could not be rebuilt, and was not changed: {error}") from error
    finally:
        engine.dispose()
        driver.close()


def _upgrade(connection: Connection, database: Database, target: int, dry_run: bool, force: bool) -> Upgrade:
    # Another process may have done it while this one waited for its turn.
    version = int(connection.execute(text("SELECT value FROM meta WHERE key = 'schema_version'")).scalar_one())
    scripts = [script for script in revisions() if version < int(script.revision) <= target]
    if not scripts:
        return Upgrade(version, version, ())
    if not (force or dry_run or all(script.module.additive for script in scripts)):
        _refuse_while_active(connection, database)
    copy = None if dry_run else _copy(database, int(scripts[-1].revision))
    steps = tuple(_carry_out(connection, script) for script in scripts)
    connection.execute(
        text("UPDATE meta SET value = :version WHERE key = 'schema_version'"), {"version": str(steps[-1].number)}
    )
    return Upgrade(version, steps[-1].number, steps, copy)


def revisions() -> list[Script]:
    """Every revision, the first one first."""
    directory = ScriptDirectory(str(VERSIONS.parent), version_locations=[str(VERSIONS)])
    return list(reversed(list(directory.walk_revisions())))


def _carry_out(connection: Connection, script: Script) -> UpgradeStep:
    statements: list[str] = []
    with _recorded(connection, statements), Operations.context(MigrationContext.configure(connection)):
        script.module.upgrade()
    return UpgradeStep(int(script.revision), script.doc, script.module.additive, tuple(statements))


@contextlib.contextmanager
def _recorded(connection: Connection, statements: list[str]) -> Iterator[None]:
    def record(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement not in statements[-1:] and not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            statements.append(statement.strip())

    listener: tuple[Any, str, Callable[..., None]] = (connection, "before_cursor_execute", record)
    event.listen(*listener)
    try:
        yield
    finally:
        event.remove(*listener)


def _refuse_while_active(connection: Connection, database: Database) -> None:
    row = connection.execute(
        text("SELECT id, pid, user_name, host FROM runner WHERE expires_at > :now"), {"now": database.clock()}
    ).fetchone()
    if row is not None:
        raise SchemaTooOld(
            f"{database.place} has an older schema, and runner {row[0]} (pid {row[1]} of {row[2]} on {row[3]}) works "
            f"with it. End that runner first (there: kill {row[1]}), and repeat the command."
        )


def _copy(database: Database, version: int) -> Path | None:
    """Copy an SQLite file beside it; on a server, the transaction is all the protection there is."""
    if not isinstance(database.dialect, SQLiteDialect):
        return None
    original = database.dialect.path
    ends = ("", *(f".{again}" for again in range(2, 1000)))
    paths = [original.with_name(f"{original.name}.before-schema-{version}{end}") for end in ends]
    copy = next(path for path in paths if not path.exists())
    source = database.dialect.connect()
    try:
        with contextlib.closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        copy.unlink(missing_ok=True)
        raise StoreError(f"{original} was not upgraded: it could not be copied to {copy} ({error}).") from error
    finally:
        source.close()
    return copy
