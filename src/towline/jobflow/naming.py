"""Functions and classes by name: the name under which another process finds them again, or why it cannot."""

import sys
from functools import reduce
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

#: Module of whatever is defined in the user's script, notebook or prompt.
MAIN = "__main__"


class Unnameable(Exception):
    """No other process can find this function or class by name; the text is the reason and the remedy."""


def is_callable_by_name(value: object) -> bool:
    """Whether `value` is of a kind that is stored by name: a function, a method or a class."""
    return isinstance(value, FunctionType | BuiltinFunctionType | MethodType | type)


def name_of(value: Any) -> tuple[str, str]:
    """Module and qualified name of a function, a class, or a method of a class.

    Raises
    ------
    Unnameable
        The name does not lead back to `value`.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise Unnameable(f"{value!r} has no name to find it by; wrap it in a function at the top level of a module")
    if "<lambda>" in name:
        raise Unnameable("a lambda has no name to find it by; use `def` at the top level of a module or script")
    if "<locals>" in name:
        raise Unnameable(f"{name} is defined inside another function; define it at the top level of a module or script")
    if module != MAIN:
        check_module(module)
    try:
        found = look_up(module, name)
    except (ImportError, AttributeError):
        found = None
    # What a script defines is sent along itself, so it may have been redefined since; a method goes with its class.
    if not stands_for(found, value) and not (module == MAIN and "." not in name):
        raise Unnameable(
            f"the name {name} in module {module} stands for something else: it was redefined, or wrapped by a "
            "decorator that does not use functools.wraps; give the function a name of its own"
        )
    return module, name


def look_up(module: str, name: str) -> Any:
    """What `name` (with dots for what is inside a class) stands for in `module`.

    Raises
    ------
    ImportError
        The module cannot be imported.
    AttributeError
        It has no such name.
    """
    start = sys.modules.get(module) or import_module(module)
    return getattr(start, name) if "." not in name else reduce(getattr, name.split("."), start)


def stands_for(found: object, value: object) -> bool:
    """Whether `found` is `value`, or jobflow's decorator around it."""
    return found is value or (found is not None and getattr(found, "original", None) is value) or found == value


#: Modules that were found before.
_known_modules: set[str] = set()


def check_module(name: str) -> None:
    """A module may be loaded without any import statement being able to find it again (a file loaded by its path).

    Raises
    ------
    Unnameable
        This one is.
    """
    if name in _known_modules:
        return
    if name in sys.builtin_module_names or _is_found(name):
        _known_modules.add(name)
        return
    module = sys.modules.get(name)
    raise Unnameable(
        f"module {name} (loaded from {getattr(module, '__file__', 'nowhere')}) is not found by `import {name}`; "
        "put it on the Python path or install it"
    )


def _is_found(name: str) -> bool:
    parent_name, _, _ = name.rpartition(".")
    path = None
    if parent_name:
        parent = sys.modules.get(parent_name)
        if not isinstance(parent, ModuleType):
            return False
        if not hasattr(parent, "__path__"):
            return True  # not a package: it makes its own submodules, like os and os.path
        if not _is_found(parent_name):
            return False
        path = parent.__path__
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        if find_spec is not None and find_spec(name, path) is not None:
            return True
    # Some modules are made while their package is imported, and have no file (six.moves).
    return bool(parent_name) and getattr(sys.modules.get(name), "__file__", None) is None
