"""Completion of words by bash, zsh and fish."""

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from towline.errors import ConfigurationError

_SHELLS = ("bash", "zsh", "fish")
_MARK = "# completion of towline's command tow"


def script(command: click.Command) -> str:
    """What the present shell has to run."""
    kind = get_completion_class(_shell())
    if kind is None:
        raise ConfigurationError(f"there is no completion for {_shell()}; there is for {', '.join(_SHELLS)}")
    return kind(command, {}, "tow", "_TOW_COMPLETE").source()


def install(command: click.Command) -> str:
    """Have the present shell complete words from its next start on; say what was written."""
    text, shell, home = script(command), _shell(), Path.home()
    if shell == "fish":
        # fish looks there by itself.
        path = Path(os.environ.get("XDG_CONFIG_HOME", home / ".config")) / "fish" / "completions" / "tow.fish"
        _write(path, text)
        return f"written: {path}\nIt is in force in new shells."
    path = Path(os.environ.get("XDG_DATA_HOME", home / ".local" / "share")) / "towline" / f"completion.{shell}"
    start = Path(os.environ.get("ZDOTDIR", home)) / ".zshrc" if shell == "zsh" else home / ".bashrc"
    _write(path, text)
    lines = [_MARK, *(["autoload -Uz compinit && compinit"] if shell == "zsh" else []), f'source "{path}"', ""]
    present = start.read_text() if start.exists() else ""
    if _MARK not in present:
        _write(start, "\n".join([present, *lines] if present else lines))
    return f"written: {path}, and a line in {start}\nIt is in force in new shells."


def _shell() -> str:
    """Name of the user's shell.

    Raises
    ------
    ConfigurationError
        It is not one of those that completion exists for.
    """
    name = Path(os.environ.get("SHELL", "")).name
    if name not in _SHELLS:
        raise ConfigurationError(
            f"the shell is {name or 'unknown'} ($SHELL); completion exists for {', '.join(_SHELLS)}. "
            "To name one, type: SHELL=bash tow --show-completion"
        )
    return name


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
