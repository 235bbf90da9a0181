"""What people write when they ask for simulations: JSON, assignments, axes of sweeps, case files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towline.configuration.documents import parse as parse_document
from towline.configuration.documents import read_text
from towline.errors import InvalidRequest
from towline.simulations.moose.problems import suggestion

_CASE_KEYS = ("physics", "params", "preset", "sweep", "seeds", "backend_name", "run_name")


@dataclass(frozen=True)
class CaseFile:
    """What a case file asks for; nothing of it is checked yet."""

    physics: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    sweep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seeds: int | None = None
    backend_name: str | None = None


def read_params(text: str) -> dict[str, Any]:
    """Parameters from JSON, as ``--params`` takes them.

    Raises
    ------
    InvalidRequest
        It is no JSON object, or has a name twice.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InvalidRequest(f"--params has {twice[0]!r} twice")
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"--params is no JSON ({error}); give for example '{{\"T\": 800}}'") from error
    if not isinstance(found, dict):
        raise InvalidRequest(f"--params is {text!r}; give a JSON object such as '{{\"T\": 800}}'")
    return found


def read_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Parameters from ``key=value``, as ``--set`` takes them.

    Raises
    ------
    InvalidRequest
        One of them is no assignment, or a key comes twice.
    """
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise InvalidRequest(f"{assignment!r} is no assignment; give for example --set T=800")
        if name.strip() in found:
            raise InvalidRequest(f"--set has {name.strip()!r} twice")
        found[name.strip()] = value.strip()
    return found


def read_axes(assignments: Sequence[str]) -> dict[str, list[str]]:
    """Axes of a sweep from ``key=value,value``, as ``--over`` takes them.

    Raises
    ------
    InvalidRequest
        One of them is no assignment, or a key comes twice.
    """
    found = {
        name: [part.strip() for part in str(value).split(",")] for name, value in read_settings(assignments).items()
    }
    for name, values in found.items():
        if not all(values):
            raise InvalidRequest(f"--over {name}={','.join(values)} has an empty value; give for example T=450,600,750")
    return found


def read_case_file(path: Path) -> CaseFile:
    """A case file: YAML, TOML or JSON with physics, params, preset, sweep, seeds and backend_name.

    Raises
    ------
    InvalidRequest
        There is no such file, or a key means nothing.
    """
    if not path.is_file():
        raise InvalidRequest(f"there is no case file {path}")
    document = parse_document(read_text(path), path)
    for key in document:
        if key not in _CASE_KEYS:
            raise InvalidRequest(
                f"{path} has the key {key!r}; known are {', '.join(_CASE_KEYS)}{suggestion(key, _CASE_KEYS)}"
            )
    params = _mapping(document, "params", path)
    if "run_name" in document:
        params = {"run_name": document["run_name"]} | params
    return CaseFile(
        physics=_text(document, "physics", path),
        params=params,
        preset=_text(document, "preset", path),
        sweep={
            name: values if isinstance(values, list) else [values]
            for name, values in _mapping(document, "sweep", path).items()
        },
        seeds=_count(document, "seeds", path),
        backend_name=_text(document, "backend_name", path),
    )


def _mapping(document: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{key} in {path} is {value!r}; give names with values")
    return {str(name): one for name, one in value.items()}


def _text(document: Mapping[str, Any], key: str, path: Path) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{key} in {path} is {value!r}; give text")
    return value


def _count(document: Mapping[str, Any], key: str, path: Path) -> int | None:
    value = document.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise InvalidRequest(f"{key} in {path} is {value!r}; give a whole number of at least 1")
    return value
