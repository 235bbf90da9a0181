"""What the README and the guide tell users to type exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
TOW = Path(sys.executable).with_name("tow")

#: A line of a code block, or something between backticks, that begins with the command.
TYPED = r"(?:^[ \t]*(?:\$ )?|`)"
WORD = re.compile(r"[a-z][a-z_-]*$")


def typed(command: str) -> dict[str, str]:
    """Everything that a page tells to type after `command`, and the page."""
    pattern = re.compile(TYPED + command + r"((?: [^`\n]*)?)(?:`|$)", re.MULTILINE)
    found: dict[str, str] = {}
    for page in PAGES:
        if page.exists():
            found.update(dict.fromkeys(pattern.findall(page.read_text()), page.name))
    return found


def subcommands(arguments: str) -> tuple[str, ...]:
    """The words before the first one that cannot be the name of a command."""
    words: list[str] = []
    for word in arguments.split():
        if not WORD.match(word):
            break
        words.append(word)
    return tuple(words)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))


def test_every_make_target_that_is_told_exists() -> None:
    told = {words[0]: page for arguments, page in typed("make").items() if (words := subcommands(arguments))}
    assert {target: page for target, page in told.items() if target not in make_targets()} == {}


#: A command of the plugin that the guide writes as its example.
OF_A_PLUGIN = {("energies", "show")}
TOLD = sorted({words for arguments in typed("tow") if (words := subcommands(arguments))} - OF_A_PLUGIN)


@pytest.mark.parametrize("words", TOLD, ids=" ".join)
def test_every_tow_command_that_is_told_exists(words: tuple[str, ...], tmp_path: Path) -> None:
    done = subprocess.run(
        [TOW, *words, "--help"],
        env={**os.environ, "TOWLINE_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"tow {' '.join(words)}: {done.stderr}"
