"""What surrounds a job on a worker: the shell lines and variables of the worker and of an execution configuration."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from towline.configuration.model import ExecutionConfig, Project, WorkerConfig
from towline.configuration.secrets import resolve
from towline.core.records import ShellSetup
from towline.errors import ConfigurationError


def shell_setup(
    project: Project, worker: WorkerConfig, exec_config: str | Mapping[str, Any] | ExecutionConfig | None
) -> ShellSetup:
    """Shell lines and variables around a job, the worker's first; references to secrets are resolved.

    Parameters
    ----------
    exec_config
        Name of an execution configuration of the project, one as it stands in a file, or None.

    Raises
    ------
    ConfigurationError
        The project has no such execution configuration, it is wrong, or a secret in it cannot be found.
    """
    if isinstance(exec_config, str):
        where = f"exec_config.{exec_config}.export"
        config = project.execution_config(exec_config)
    else:
        where = "exec_config.export"
        config = execution_config(exec_config or {}) if not isinstance(exec_config, ExecutionConfig) else exec_config
    return ShellSetup(
        pre_run=_lines(worker.pre_run, config.pre_run),
        export=resolve(config.export or {}, where),
        modules=config.modules or (),
        post_run=_lines(worker.post_run, config.post_run),
    )


def execution_config(document: Mapping[str, Any]) -> ExecutionConfig:
    """The execution configuration that a job brings along as a mapping.

    The check is by hand, because the runner does it and has no use for pydantic otherwise.

    Raises
    ------
    ConfigurationError
        It has a key that does not exist, or a value of the wrong type.
    """
    known = [item.name for item in fields(ExecutionConfig)]
    for key in document:
        if key not in known:
            raise ConfigurationError(f"exec_config has the unknown key {key!r}; the keys are {', '.join(known)}")
    modules, export = document.get("modules"), document.get("export")
    if modules is not None and not (
        isinstance(modules, list | tuple) and all(isinstance(item, str) for item in modules)
    ):
        raise ConfigurationError(f"exec_config.modules is {modules!r}; it should be a list of names")
    if export is not None and not (isinstance(export, Mapping) and all(map(_is_export, export.items()))):
        raise ConfigurationError("exec_config.export should be names of variables with a text or number each")
    for key in ("pre_run", "post_run"):
        if not isinstance(document.get(key), str | None):
            raise ConfigurationError(f"exec_config.{key} is {document[key]!r}; it should be shell lines")
    return ExecutionConfig(
        modules=None if modules is None else tuple(modules),
        export=None if export is None else {key: str(value) for key, value in export.items()},
        pre_run=document.get("pre_run"),
        post_run=document.get("post_run"),
    )


def _is_export(item: tuple[object, object]) -> bool:
    name, value = item
    is_name = isinstance(name, str) and name.isidentifier() and name.isascii()
    return is_name and isinstance(value, str | int | float) and not isinstance(value, bool)


def _lines(*parts: str | None) -> tuple[str, ...]:
    return tuple(part.strip("\n") for part in parts if part is not None and part.strip())
