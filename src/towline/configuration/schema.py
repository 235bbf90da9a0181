"""Validation of project files; the one place where towline's configuration meets pydantic.

Loaded only when there is a project file.
"""

import ast
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter, ValidationError

from towline.configuration import model
from towline.configuration.model import (
    BatchConfig,
    ExecutionConfig,
    GatewayConfig,
    HookConfig,
    Project,
    QueueConfig,
    QueueStore,
    RunnerOptions,
    WorkerConfig,
)
from towline.configuration.refusals import Problem
from towline.configuration.secrets import masked
from towline.core.spelling import known_names

#: Keys that a file may leave out although the classes ask for them: they get a value before validation.
_FILLED_IN = {
    "Project": ("base_dir", "tmp_dir", "log_dir", "daemon_dir", "workers", "queue"),
    "WorkerConfig": ("work_dir",),
    "GatewayConfig": ("host",),
    "QueueConfig": ("store",),
    "QueueStore": ("url",),
}


def validate(document: Mapping[str, Any]) -> tuple[Project | None, list[Problem]]:
    """The project in a completed document, or everything that is wrong with it."""
    try:
        return _adapter().validate_python(document), []
    except ValidationError as error:
        return None, [_problem(item) for item in error.errors(include_url=False)]


def project_json_schema() -> dict[str, Any]:
    """JSON schema of a project file, for editors and for documentation."""
    schema = _adapter().json_schema()
    for name, part in {"Project": schema, **schema["$defs"]}.items():
        part["required"] = [key for key in part.get("required", ()) if key not in _FILLED_IN.get(name, ())]
        for key, text in field_texts(getattr(model, name)).items():
            part["properties"][key]["description"] = text
    del schema["properties"]["source"]
    schema["properties"]["JOB_STORE"] = schema["properties"]["jobstore"]
    return schema


def field_types(class_: type) -> dict[str, str]:
    """What each field of a class of the model takes, for people: ``text``, ``whole number, 0 or more``, ``a | b``."""
    schema = _adapter().json_schema()
    parts = schema if class_ is Project else schema["$defs"][class_.__name__]
    return {name: _type_text(part) for name, part in parts["properties"].items()}


_TYPE_NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}


def _type_text(part: Mapping[str, Any]) -> str:
    if "anyOf" in part:
        return " or ".join(_type_text(item) for item in part["anyOf"])
    if "enum" in part or "const" in part:
        return ", ".join(f"`{value}`" for value in part.get("enum", [part.get("const")]))
    if "$ref" in part or "allOf" in part:
        return "mapping"
    if part.get("type") == "array":
        return f"list of {_type_text(part.get('items', {}))}"
    name = "path" if part.get("format") == "path" else _TYPE_NAMES.get(str(part.get("type")), "anything")
    limits = [
        f"{words}{part[key]:g}{after}"
        for key, words, after in (("minimum", "", " or more"), ("exclusiveMinimum", "more than ", ""))
        if key in part
    ]
    return ", ".join([name, *limits])


def field_texts(class_: type) -> dict[str, str]:
    """What each field of a class of the model means: the string below it.

    pydantic can read them too, and would do it at every validation, which is one thing too many at every command.
    """
    tree = ast.parse(inspect.getsource(class_)).body[0]
    statements = tree.body if isinstance(tree, ast.ClassDef) else []
    texts = {}
    for field, below in pairwise(statements):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = " ".join(text.split())
    return texts


@cache
def _adapter() -> TypeAdapter[Project]:
    return TypeAdapter(Project)


def _problem(item: Any) -> Problem:
    if item["type"] == "unexpected_keyword_argument":
        # Even "[key]" is a key of the user here.
        return tuple(item["loc"]), _unknown_key(item["loc"])
    keys: tuple[str | int, ...] = tuple(key for key in item["loc"] if key != "[key]")
    if item["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return keys, "is missing"
    if item["loc"] and item["loc"][-1] == "[key]":
        return keys, f"is no possible name here: {item['msg']}"
    reason = item["msg"].replace("Input should", "it should", 1)
    return keys, f"{_shown(item['input'], keys)} is not possible: {reason}"


def _shown(value: object, keys: Sequence[str | int]) -> str:
    text = repr(masked(value, ".".join(map(str, keys))))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unknown_key(keys: Sequence[str | int]) -> str:
    class_ = _class_at(keys[:-1])
    known = [item.name for item in fields(class_) if item.init]
    return f"unknown key; {known_names(str(keys[-1]), known, 'the keys here are')}"


def _class_at(keys: Sequence[str | int]) -> type:
    """Class of the value that stands under `keys`."""
    match tuple(keys):
        case ():
            return Project
        case ("runner",):
            return RunnerOptions
        case ("queue",):
            return QueueConfig
        case ("queue", "store"):
            return QueueStore
        case ("workers", _):
            return WorkerConfig
        case ("workers", _, "gateway", *_):
            return GatewayConfig
        case ("workers", _, "batch"):
            return BatchConfig
        case ("hooks", _):
            return HookConfig
        case _:
            return ExecutionConfig
