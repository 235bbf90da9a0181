"""Text of new project files."""

import textwrap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from towline.configuration.defaults import default_project
from towline.configuration.documents import render, yaml_text
from towline.configuration.job_stores import DEFAULT_JOBSTORE
from towline.configuration.model import ExecutionConfig, Project, QueueConfig, QueueStore, RunnerOptions, WorkerConfig
from towline.configuration.plain import document_of

_WIDTH = 100
#: Classes of the mappings in a project file; None stands for a name that the user chooses.
_PARTS: Mapping[tuple[str | None, ...], type] = {
    (): Project,
    ("runner",): RunnerOptions,
    ("workers", None): WorkerConfig,
    ("queue",): QueueConfig,
    ("queue", "store"): QueueStore,
    ("exec_config", None): ExecutionConfig,
}


def project_text(name: str, file_format: str, home: Path, *, full: bool) -> str:
    """Text of a valid project file.

    Parameters
    ----------
    file_format
        yaml (with comments), toml or json.
    full
        Whether every key is there with its default value.
    """
    if full:
        document = _full_document(name, home)
        return yaml_text(_with_comments(document, ())) if file_format == "yaml" else render(document, file_format)
    short = {"name": name, "workers": {"local": {"type": "local", "scheduler_type": "shell"}}}
    text = render(short, file_format)
    if file_format == "yaml":
        text = (
            "# A project of towline: where jobs run, where the queue is, where outputs go.\n"
            f"# What is in force: tow -p {name} project show\n"
            "# Every key with its meaning: tow project generate NAME --full\n"
            f"{text}"
        )
    return text


def _full_document(name: str, home: Path) -> dict[str, Any]:
    project = default_project(home, name)
    whole = replace(project, jobstore=DEFAULT_JOBSTORE, exec_config={"example": ExecutionConfig(modules=(), export={})})
    document: dict[str, Any] = document_of(whole)
    return document


def _with_comments(part: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    # Slow to load: YAML, and the texts, which come from pydantic. Only this command needs them.
    from ruamel.yaml.comments import CommentedMap

    from towline.configuration.schema import field_texts

    class_ = next((class_ for pattern, class_ in _PARTS.items() if _matches(keys, pattern)), None)
    texts = {} if class_ is None else field_texts(class_)
    result = CommentedMap()
    for key, value in part.items():
        result[key] = _with_comments(value, (*keys, key)) if isinstance(value, Mapping) and value else value
        if key in texts:
            indent = 2 * len(keys)
            comment = "\n".join(textwrap.wrap(texts[key], _WIDTH - indent))
            result.yaml_set_comment_before_after_key(key, before=comment, indent=indent)
    return result


def _matches(keys: tuple[str, ...], pattern: tuple[str | None, ...]) -> bool:
    return len(keys) == len(pattern) and all(want in (None, key) for key, want in zip(keys, pattern, strict=True))
