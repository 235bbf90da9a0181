"""Projects as plain mappings: for files and for showing."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from towline.configuration.model import Project
from towline.configuration.secrets import masked


def document_of(value: object, *, exclude_defaults: bool = False, exclude_none: bool = False) -> Any:
    """A project or a part of it as mappings, lists, text and numbers; secrets are in it as they are.

    Parameters
    ----------
    exclude_defaults, exclude_none
        What to leave out: fields that have their default value, fields that are None.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: document_of(part, exclude_defaults=exclude_defaults, exclude_none=exclude_none)
            for item in fields(value)
            if item.init
            and not ((part := getattr(value, item.name)) is None and exclude_none)
            and not (exclude_defaults and part == _default(item))
        }
    if isinstance(value, Mapping):
        return {
            str(key): document_of(part, exclude_defaults=exclude_defaults, exclude_none=exclude_none)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [document_of(part, exclude_defaults=exclude_defaults, exclude_none=exclude_none) for part in value]
    return str(value) if isinstance(value, Path) else value


def shown_document(project: Project) -> dict[str, Any]:
    """A project as a mapping for showing: every value that is in force, secrets masked."""
    document: dict[str, Any] = masked(document_of(project))
    document["source"] = None if project.source is None else str(project.source)
    return document


def _default(item: Field[Any]) -> object:
    if item.default_factory is not MISSING:
        return item.default_factory()
    return item.default
