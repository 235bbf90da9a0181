"""What two versions of a project's configuration differ in, by key; values may be secret and are left out."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from towline.configuration.model import Project

#: A runner that is active has opened what these keys name; it uses other values when it is started again.
_READ_AT_START = ("name", "base_dir", "tmp_dir", "log_dir", "daemon_dir", "log_level", "queue")


def changed_keys(before: Project, after: Project) -> list[str]:
    """Keys whose values differ, as ``workers.local.max_jobs``; a whole section that came or went is one key."""
    return list(_changes("", before, after))


def needs_restart(key: str) -> bool:
    """Whether an active runner goes on with the value that this key had."""
    return key.partition(".")[0] in _READ_AT_START


def _changes(key: str, before: Any, after: Any) -> "list[str]":
    old, new = _members(before), _members(after)
    if old is None or new is None:
        return [] if before == after else [key]
    found: list[str] = []
    for name in dict.fromkeys([*old, *new]):
        inner = f"{key}.{name}" if key else name
        if name not in old:
            found.append(f"{inner} (new)")
        elif name not in new:
            found.append(f"{inner} (removed)")
        else:
            found.extend(_changes(inner, old[name], new[name]))
    return found


def _members(value: Any) -> dict[str, Any] | None:
    if is_dataclass(value):
        return {item.name: getattr(value, item.name) for item in fields(value) if item.compare}
    return {str(name): item for name, item in value.items()} if isinstance(value, Mapping) else None
