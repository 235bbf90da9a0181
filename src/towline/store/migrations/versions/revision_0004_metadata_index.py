"""Jobs and flows are found by their metadata through an index."""

import math
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import orjson
from alembic import op
from sqlalchemy import Column, PrimaryKeyConstraint, text

from towline.store.migrations.column_types import REFERENCE, WHOLE

revision = "0004"
down_revision = "0003"
# Jobs that an older towline stores would not be found.
additive = False

_FLOWS_AT_ONCE = 200
_MOST_VALUES = 64
_TEXT_LENGTH = 200


def upgrade() -> None:
    """Add the table, filled from the documents."""
    op.create_table(
        "metadata_index",
        Column("token", WHOLE, nullable=False),
        Column("flow_id", REFERENCE, nullable=False),
        Column("job_id", REFERENCE, nullable=False),
        PrimaryKeyConstraint("token", "flow_id", "job_id"),
        sqlite_with_rowid=False,
    )
    # In the order of the table, a million rows are stored in seconds.
    op.execute("CREATE TEMPORARY TABLE metadata_rows (token BIGINT, flow_id BIGINT, job_id BIGINT)")
    _fill()
    op.execute(
        "INSERT INTO metadata_index (token, flow_id, job_id) SELECT token, flow_id, job_id FROM metadata_rows "
        "ORDER BY token, flow_id, job_id"
    )
    op.execute("DROP TABLE metadata_rows")


def _fill() -> None:
    connection = op.get_bind()
    last = 0
    while flows := connection.execute(
        text("SELECT id, metadata FROM flow WHERE id > :last ORDER BY id LIMIT :number"),
        {"last": last, "number": _FLOWS_AT_ONCE},
    ).fetchall():
        jobs = connection.execute(
            text(
                "SELECT job.flow_id, job.id, settings FROM job JOIN job_document ON job_document.job_id = job.id "
                "WHERE job.flow_id > :last AND job.flow_id <= :upto"
            ),
            {"last": last, "upto": flows[-1][0]},
        ).fetchall()
        held: dict[int, list[tuple[int, frozenset[int]]]] = {}
        for flow_id, job_id, settings in jobs:
            metadata = orjson.loads(settings).get("metadata") or {}
            held.setdefault(flow_id, []).append((job_id, _tokens(metadata, "", 0)))
        rows: list[dict[str, int]] = []
        for flow_id, document in flows:
            about = _tokens(orjson.loads(document) if document else {}, "\0flow", 1)
            rows += [
                {"token": token, "flow_id": flow_id, "job_id": job_id}
                for token, job_id in _rows(about, held.get(flow_id, []))
            ]
        if rows:
            connection.execute(text("INSERT INTO metadata_rows VALUES (:token, :flow_id, :job_id)"), rows)
        last = flows[-1][0]


def _rows(about: frozenset[int], jobs: list[tuple[int, frozenset[int]]]) -> Iterator[tuple[int, int]]:
    counted = Counter(token for _, tokens in jobs for token in tokens)
    shared = {token for token, number in counted.items() if 2 * number > len(jobs)}
    yield from ((token, 0) for token in shared | about)
    yield from ((token, job_id) for job_id, tokens in jobs for token in tokens - shared)


def _tokens(metadata: dict[str, Any], prefix: str, otherwise: int) -> frozenset[int]:
    found: set[int] = set()
    for path, value in _values("", metadata):
        if path is None or len(found) >= _MOST_VALUES:
            return frozenset({otherwise})
        if isinstance(value, str):
            written = f"s{value[:_TEXT_LENGTH]}"
        else:
            number = _number(value)
            if not math.isfinite(number):
                continue
            written = f"n{number + 0.0!r}"
        digest = blake2b(f"{prefix}{path}\0{written}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        token = int.from_bytes(digest, "big", signed=True)
        found.add(token if token not in (0, 1) else 2)
    return frozenset(found)


def _number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _values(path: str, value: Any) -> Iterator[tuple[str | None, Any]]:
    if isinstance(value, str | int | float):
        yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(f"{path}.{name}", inner)
    elif (
        isinstance(value, list)
        and len(value) <= _MOST_VALUES
        and all(isinstance(item, str | int | float) for item in value)
    ):
        for position, item in enumerate(value):
            yield path, item
            yield f"{path}.{position}", item
    elif value is not None:
        yield None, None
