"""Help of groups and the tree of commands, from the table alone: what is asked for most often answers at once."""

import shutil
import sys
from collections.abc import Sequence

import towline
from towline.interfaces.cli.commands import COMMANDS, Branch, Leaf, Node

#: Options before any command: (names, value, help, is a flag).
ROOT_OPTIONS = (
    (("-p", "--project"), "NAME", "Project to use; otherwise $TOWLINE_PROJECT, or the only one."),
    (("-fe", "--full-exc"), "", "Show the whole traceback of an error."),
    (("-wp", "--warn-project"), "", "Say what is wrong with project files."),
    (("--version",), "", "Show the version."),
    (("--install-completion",), "", "Install completion for the present shell."),
    (("--show-completion",), "", "Show the completion script of the present shell."),
)
_EVERYWHERE = (
    (("--tree",), "", "Show the commands from here on as a tree."),
    (("-h", "--help"), "", "Show this help."),
)


def answer(arguments: Sequence[str]) -> bool:
    """Answer a request for help, the tree or the version; False when it is something else."""
    path, node, rest = _walk(arguments)
    if rest == ["--tree"]:
        text = tree(path, node)
    elif isinstance(node, Branch) and rest in ([], ["-h"], ["--help"]):
        text = help_text(path, node)
    elif not path and rest == ["--version"]:
        text = f"towline {towline.__version__}"
    else:
        return False
    sys.stdout.write(text + "\n")
    # A pipe that nobody reads any more is noticed here, not at the end of the process.
    sys.stdout.flush()
    return True


def help_text(path: Sequence[str], branch: Branch) -> str:
    """Help of a group."""
    usage = " ".join(["tow", *path, *([] if path else ["[OPTIONS]"]), "COMMAND ..."])
    options = [(", ".join(names) + (f" {value}" if value else ""), text) for names, value, text in _options(path)]
    commands = [(name, node.help) for name, node in branch.children.items() if not node.hidden]
    parts = [f"Usage: {usage}", branch.help, _section("Commands", commands), _section("Options", options)]
    if not path:
        parts.append("Begin with: tow submit FILE.py, tow runner start, tow job list. Every command has --help.")
    return "\n\n".join(parts)


def tree(path: Sequence[str], node: Node) -> str:
    """The commands below a group, each with what it does."""
    rows = [("tow " + " ".join(path) if path else "tow", node.help), *_rows(node, "")]
    width = max(len(left) for left, _ in rows)
    return "\n".join(f"{left.ljust(width)}  {text}".rstrip() for left, text in rows)


def _rows(node: Node, lead: str) -> list[tuple[str, str]]:
    if isinstance(node, Leaf):
        return []
    visible = [(name, child) for name, child in node.children.items() if not child.hidden]
    rows = []
    for position, (name, child) in enumerate(visible):
        last = position == len(visible) - 1
        rows.append((f"{lead}{'└── ' if last else '├── '}{name}", child.help))
        rows += _rows(child, f"{lead}{'    ' if last else '│   '}")
    return rows


def _walk(arguments: Sequence[str]) -> tuple[list[str], Node, list[str]]:
    """Commands that are named, the node they lead to, and what comes behind it."""
    rest = list(arguments)
    while rest and rest[0] in _FLAGS | _WITH_VALUE:
        del rest[: 2 if rest[0] in _WITH_VALUE else 1]
    path: list[str] = []
    node: Node = COMMANDS
    while isinstance(node, Branch) and rest and rest[0] in node.children:
        path.append(rest.pop(0))
        node = node.children[path[-1]]
    return path, node, rest


_FLAGS = {"-fe", "--full-exc", "-wp", "--warn-project"}
_WITH_VALUE = {"-p", "--project"}


def _options(path: Sequence[str]) -> tuple[tuple[tuple[str, ...], str, str], ...]:
    return _EVERYWHERE if path else (*ROOT_OPTIONS, *_EVERYWHERE)


def _section(title: str, rows: Sequence[tuple[str, str]]) -> str:
    width = max((len(left) for left, _ in rows), default=0)
    room = max(20, shutil.get_terminal_size().columns - width - 4)
    lines = [f"  {left.ljust(width)}  {line}" for first, text in rows for left, line in _wrapped(first, text, room)]
    return "\n".join([f"{title}:", *lines])


def _wrapped(first: str, text: str, room: int) -> list[tuple[str, str]]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return [(first if position == 0 else "", line) for position, line in enumerate(lines)]
