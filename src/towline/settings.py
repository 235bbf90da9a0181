"""What holds for every project: where towline's home is, which project is meant, how the command line behaves.

Loaded by every command, so it uses the standard library only.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towline.core.spelling import known_names
from towline.errors import ConfigurationError

PREFIX = "TOWLINE_"
SETTINGS_FILE = "settings.yaml"

DEFAULT_LOG_LEVEL = "warn"

_LOG_LEVELS = ("error", "warn", "info", "debug")
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force."""

    #: Folder of project files and of what the projects keep.
    home: Path
    #: Name of the project to use when the command names none.
    project: str | None = None
    #: Show whole tracebacks of errors.
    cli_full_exc: bool = False
    #: Suggest what to type next.
    cli_suggestions: bool = True
    #: Least level of messages on the command line: error, warn, info or debug.
    cli_log_level: str = DEFAULT_LOG_LEVEL
    #: Columns of `tow job list`; None for the usual ones.
    cli_job_list_columns: tuple[str, ...] | None = None
    #: Whether commands of plugins are there.
    cli_load_plugins: bool = True


def towline_home(environment: Mapping[str, str] = os.environ) -> Path:
    """The home of towline: ``$TOWLINE_HOME``, or ``.towline`` in the user's home.

    Raises
    ------
    ConfigurationError
        The path is not absolute, or the user has no home.
    """
    text = environment.get("TOWLINE_HOME") or "~/.towline"
    try:
        home = Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            f"the home {text} is unknown ({error}); type: export TOWLINE_HOME=/some/folder"
        ) from error
    if not home.is_absolute():
        raise ConfigurationError(
            f"TOWLINE_HOME is {text!r}, which is not an absolute path; type: export TOWLINE_HOME={Path.cwd() / text}"
        )
    return home


def settings_file(home: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """The file of the settings: ``$TOWLINE_CONFIG_FILE``, or ``settings.yaml`` in the home.

    Raises
    ------
    ConfigurationError
        The named file is not there, or is no YAML, TOML or JSON file.
    """
    named = environment.get("TOWLINE_CONFIG_FILE")
    if not named:
        return home / SETTINGS_FILE
    path = Path(named).expanduser()
    if not path.is_file() or path.suffix not in (".yaml", ".yml", ".toml", ".json"):
        raise ConfigurationError(
            f"TOWLINE_CONFIG_FILE is {named!r}, which is no YAML, TOML or JSON file; type: unset TOWLINE_CONFIG_FILE"
        )
    return path


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings from the file ``settings.yaml`` in the home and from variables ``TOWLINE_<NAME>``, which win.

    ``$TOWLINE_CONFIG_FILE`` names another file.

    Raises
    ------
    ConfigurationError
        A value is not possible, or the file cannot be read. Unknown names are no error here; see
        :func:`setting_problems`.
    """
    home = towline_home(environment)
    path = settings_file(home, environment)
    values: dict[str, Any] = {}
    for name, value in _from_file(path).items():
        if name in _READERS and value is not None:
            values[name] = _READERS[name](value, f"{name} in {path}")
    for name, reader in _READERS.items():
        variable = PREFIX + name.upper()
        if variable in environment:
            values[name] = reader(environment[variable], variable)
    return Settings(home=home, **values)


def setting_problems(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What is wrong with the settings: unknown variables and keys with the names that are near, impossible values."""
    variables = [PREFIX + name.upper() for name in ("home", "config_file", *_READERS)]
    other = [name for name in environment if name.startswith("JFREMOTE_")]
    # What towline itself sets for jobs and for its own processes is not the user's mistake.
    unknown = [name for name in sorted(environment) if name.startswith(PREFIX) and name not in (*variables, *_OWN)]
    problems = [f"the variable {name} is no setting{_near(name, variables)}" for name in unknown]
    problems += [
        f"{name} is a setting of jobflow-remote; here it is called {_TRANSLATED.get(name, PREFIX + name[9:])}"
        for name in sorted(other)
    ]
    try:
        path = settings_file(towline_home(environment), environment)
        keys = _from_file(path)
        load_settings(environment)
    except ConfigurationError as error:
        return [*problems, str(error)]
    names = list(_READERS)
    return problems + [
        f"the key {key} in {path} is no setting{_near(key, names)}" for key in keys if key not in _READERS
    ]


#: Settings of jobflow-remote that have another name here.
_TRANSLATED = {"JFREMOTE_PROJECTS_FOLDER": "TOWLINE_HOME"}

#: Variables that are no settings: a job finds them in its environment, or the worker's side reads them.
_OWN = ("TOWLINE_JOB", "TOWLINE_RUN_DIR", "TOWLINE_EXTRA_PAYLOADS")


def _near(name: str, known: list[str]) -> str:
    return f"; {known_names(name, known, 'the settings are')}"


def _from_file(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    # The file is rare, and what reads it is slow to load.
    from towline.configuration.documents import parse, read_text

    text = read_text(path)
    return parse(text, path) if text.strip() else {}


def _text(value: object, where: str) -> str | None:
    if not isinstance(value, str | int):
        raise ConfigurationError(f"{where} is {value!r}; it should be text")
    return str(value) or None


def _truth(value: object, where: str) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ConfigurationError(f"{where} is {value!r}; it should be true or false")


def _log_level(value: object, where: str) -> str:
    text = str(value).strip().lower()
    if text not in _LOG_LEVELS:
        raise ConfigurationError(f"{where} is {value!r}; it should be one of {', '.join(_LOG_LEVELS)}")
    return text


def _columns(value: object, where: str) -> tuple[str, ...] | None:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ConfigurationError(f"{where} is {value!r}; it should be names of columns with commas between them")
    return tuple(item.strip() for item in items if item.strip()) or None


_READERS: dict[str, Callable[[object, str], Any]] = {
    "project": _text,
    "cli_full_exc": _truth,
    "cli_suggestions": _truth,
    "cli_log_level": _log_level,
    "cli_job_list_columns": _columns,
    "cli_load_plugins": _truth,
}
