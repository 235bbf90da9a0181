"""Plugins: packages that add commands.

A package names a function in the entry point group ``towline.plugins``. It takes a :class:`Registry`, and adds
commands to any group::

    def add_commands(registry):
        registry.add("job energy", "my_package.energy:command", "Energies of jobs.")

Where it stands, ``my_package.energy`` is loaded only when the command is used. Looking for plugins costs more than most
commands take: it is done when a command is typed that towline itself does not have, and by `tow plugin list`.
"""

import traceback
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import metadata

from towline.errors import InvalidRequest
from towline.interfaces.cli.commands import COMMANDS, Branch, Leaf, Node

GROUP = "towline.plugins"


@dataclass(slots=True)
class Plugin:
    """A plugin that is installed."""

    name: str
    package: str
    #: Its commands, as they are typed behind `tow`.
    commands: list[str] = field(default_factory=list)
    #: Why it cannot be used.
    problem: str | None = None
    #: The traceback of that.
    details: str | None = None


class Registry:
    """Takes the commands of one plugin.

    Parameters
    ----------
    root
        The commands so far; new ones are added to it.
    """

    def __init__(self, root: Branch) -> None:
        self._root = root
        self.commands: list[str] = []

    def add(self, path: str, function: str, help: str) -> None:
        """Add a command.

        Parameters
        ----------
        path
            As it is typed behind `tow`: ``"job energy"``. Groups that do not exist are made.
        function
            ``"module:name"`` of a function whose parameters are annotated as those of towline's own commands, see
            :mod:`towline.interfaces.cli.parameters`.
        help
            A sentence.

        Raises
        ------
        InvalidRequest
            There is such a command.
        """
        *groups, name = path.split()
        branch = self._root
        for group in groups:
            child = branch.children.get(group)
            if child is None:
                child = Branch(f"Commands of {group}.", {})
                _children(branch)[group] = child
            if not isinstance(child, Branch):
                raise InvalidRequest(f"`tow {' '.join(groups)}` is a command and no group")
            branch = child
        if name in branch.children:
            raise InvalidRequest(f"there is a command `tow {path}` already")
        module, _, attribute = function.partition(":")
        _children(branch)[name] = Leaf(module, help, function=attribute or "command", is_foreign=True)
        self.commands.append(path)


def load_plugins(root: Branch | None = None) -> list[Plugin]:
    """Load every plugin, and have it add its commands to `root`; one that fails is named with its problem.

    Parameters
    ----------
    root
        The commands of towline; a copy of them, to see what would be added, when None.
    """
    commands = deepcopy(COMMANDS) if root is None else root
    found = []
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda item: item.name):
        plugin = Plugin(point.name, "" if point.dist is None else f"{point.dist.name} {point.dist.version}")
        registry = Registry(commands)
        try:
            point.load()(registry)
        # A plugin may do what it likes; the command line goes on without it and says so.
        except Exception as error:
            plugin.problem = f"{type(error).__name__}: {error}"
            plugin.details = traceback.format_exc()
        plugin.commands = registry.commands
        found.append(plugin)
    return found


def _children(branch: Branch) -> dict[str, Node]:
    # Commands come from one table that nobody else changes.
    if not isinstance(branch.children, dict):
        raise TypeError("the commands of a group are a dict")
    return branch.children
