"""Flows in files: a script that makes one, or one written as JSON."""

import ast
import inspect
import sys
import traceback
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import orjson
from jobflow import Flow, Job
from monty.json import MontyDecoder

from towline.errors import InvalidFlow
from towline.jobflow.naming import MAIN

#: What a script may call its flow.
_USUAL_NAMES = ("flow", "job")


def load_flow(path: Path, object_name: str | None = None) -> Flow | Job | list[Any]:
    """The flow in a file.

    A script is run in a fresh ``__main__`` that stays, because what it defines is sent along with the jobs. What stands
    under ``if __name__ == "__main__":`` is left out: it is what the script does when it is run by itself, often its own
    submission. The flow is what the script calls `flow` or `job`, or the only flow or job it has.

    Parameters
    ----------
    object_name
        What the script calls its flow; a function without arguments is called.

    Raises
    ------
    InvalidFlow
        The file cannot be read, the script failed, or there is no flow in it, or several.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidFlow(f"{path} cannot be read: {error.strerror}") from error
    if path.suffix == ".json":
        return _from_json(path, content)
    if path.suffix == ".py":
        return _from_script(path, content, object_name)
    raise InvalidFlow(f"{path} ends with {path.suffix!r}; give a script (.py) or a flow written as JSON (.json)")


def _from_json(path: Path, content: bytes) -> Flow | Job | list[Any]:
    try:
        found = MontyDecoder().process_decoded(orjson.loads(content))
    except (ValueError, TypeError, KeyError, ImportError, AttributeError) as error:
        raise InvalidFlow(f"{path} has no flow that can be read ({type(error).__name__}: {error})") from error
    if not _is_flow(found):
        raise InvalidFlow(
            f"{path} has a {type(found).__name__}, not a flow or a job; write one with "
            "json.dumps(flow, cls=monty.json.MontyEncoder)"
        )
    return found  # type: ignore[no-any-return]  # _is_flow has looked


def _from_script(path: Path, content: bytes, object_name: str | None) -> Flow | Job | list[Any]:
    values = vars(_run(path, content))
    if object_name is not None:
        if object_name not in values:
            known = ", ".join(_objects(values)) or "no flow"
            raise InvalidFlow(f"{path} defines no {object_name!r}; it defines {known}")
        found = values[object_name]
        found = found() if callable(found) and not _is_flow(found) else found
        if not _is_flow(found):
            raise InvalidFlow(f"{object_name} of {path} is a {type(found).__name__}, not a flow or a job")
        return found  # type: ignore[no-any-return]  # _is_flow has looked
    flows = _flows(values)
    name = next((name for name in _USUAL_NAMES if name in flows), None)
    if name is None and len(flows) != 1:
        what = f"several flows: {', '.join(flows)}" if flows else "no flow at its top level"
        raise InvalidFlow(f"{path} defines {what}; call one `flow`, or say which: tow submit {path} --object NAME")
    return flows[name or next(iter(flows))]  # type: ignore[no-any-return]  # _is_flow has looked


def _run(path: Path, content: bytes) -> ModuleType:
    """Run a script in a fresh ``__main__``."""
    module = ModuleType(MAIN)
    module.__file__ = str(path.resolve())
    sys.modules[MAIN] = module
    sys.path.insert(0, str(path.resolve().parent))
    sys.argv = [str(path)]
    try:
        exec(_code(path, content), vars(module))
    except SystemExit as end:
        # How scripts end that call sys.exit(main()).
        if end.code not in (None, 0):
            raise InvalidFlow(f"{path} ended with exit code {end.code!r} before anything was submitted") from end
    except Exception as error:
        # Any error of the user's own code; its traceback is about the script, without what stands above it.
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            frames = []  # only Python's own: no line of the script has run
        lines = [*traceback.format_list(frames), *traceback.format_exception_only(error)]
        raise InvalidFlow(f"{path} failed before anything was submitted:\n{''.join(lines).rstrip()}") from error
    return module


def _code(path: Path, content: bytes) -> CodeType:
    tree = ast.parse(content, str(path))
    # The branch for being imported stays.
    tree.body = [
        kept for item in tree.body for kept in (item.orelse if isinstance(item, ast.If) and _is_guard(item) else [item])
    ]
    return compile(tree, str(path), "exec")


def _is_guard(statement: ast.If) -> bool:
    """Whether a statement is ``if __name__ == "__main__":``."""
    return ast.unparse(statement.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _flows(values: dict[str, Any]) -> dict[str, Any]:
    """Flows and jobs by the name that the script gives them; jobs that are in a flow go with it."""
    found = {name: value for name, value in values.items() if isinstance(value, Flow | Job)}
    return {name: value for name, value in found.items() if not value.hosts}


def _objects(values: dict[str, Any]) -> list[str]:
    """What may be named: flows and jobs, and functions of the script itself, which may make one."""
    own = [name for name, value in values.items() if inspect.isfunction(value) and value.__module__ == MAIN]
    return [*_flows(values), *(name for name in own if not hasattr(values[name], "original"))]


def _is_flow(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, Flow | Job) for item in value)
    return isinstance(value, Flow | Job)
