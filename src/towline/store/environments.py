"""What jobs ran with: one document for each environment, however many jobs ran in it."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from towline.core.records import Result
from towline.store.database import Database, Transaction


def keep(transaction: Transaction, results: Iterable[Result]) -> None:
    """Keep the documents about the environments of these results, as far as they are not there."""
    found = {
        item.environment["id"]: item.environment_document
        for item in results
        if item.environment_document and "id" in item.environment
    }
    keep_documents(transaction, found)


def keep_documents(transaction: Transaction, documents: Mapping[str, bytes]) -> None:
    """Keep documents about environments by their hashes, as far as they are not there."""
    if documents:
        transaction.executemany(
            "INSERT INTO environment (hash, document) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
            list(documents.items()),
        )


def environment_document(database: Database, environment: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Everything that was installed where a job ran; None where that is not known."""
    identifier = (environment or {}).get("id")
    if identifier is None:
        return None
    rows = database.read("SELECT document FROM environment WHERE hash = ?", (identifier,))
    return orjson.loads(rows[0][0]) if rows else None
