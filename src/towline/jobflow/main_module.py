"""What the user's script, notebook or prompt defines: it goes along with a job by value, and is in place when it runs.

The script itself is never run or imported on the worker.
"""

import base64
import dataclasses
import inspect
import io
import pickle
import sys
from collections.abc import Mapping
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any

import cloudpickle
import monty.json
from jobflow import CURRENT_JOB, job
from monty.json import MSONable
from pydantic import BaseModel

from towline.errors import InvalidRequest
from towline.jobflow.current import CURRENT_JOBDOC
from towline.jobflow.naming import MAIN, look_up


class UnpicklableMain(InvalidRequest):
    """Something that the script defines cannot be sent to another process."""


class OtherPython(InvalidRequest):
    """What the script defines was written by another Python, and would break this one."""


#: Compiled functions are of one version of Python alone.
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


#: Where the objects are that know the job that runs.
_CURRENT = {id(CURRENT_JOB): ("jobflow", "CURRENT_JOB"), id(CURRENT_JOBDOC): ("towline", "CURRENT_JOBDOC")}


#: What multiprocessing calls the user's script in the processes that it spawns.
_SPAWNED = "__mp_main__"


def give_main_its_name() -> None:
    """In a process that multiprocessing spawned, let what the script defines say that it is of ``__main__``.

    It is found there too, and no worker has a module of the other name.
    """
    main = sys.modules.get(MAIN)
    if getattr(main, "__name__", None) == _SPAWNED:
        for value in list(vars(main).values()):
            _rename(value)


def _rename(value: object) -> None:
    if isinstance(value, FunctionType | type) and value.__module__ == _SPAWNED:
        value.__module__ = MAIN
        # Methods of a class; what a decorator holds of the function.
        for inside in list(vars(value).values()):
            _rename(inside)


class _Pickler(cloudpickle.Pickler):
    """Writes by value what other processes cannot import, functions with jobflow's decorator included."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType) and _is_job_decorator(obj) and not _is_importable(obj):
            # By value it would take the inside of jobflow along, which holds things that cannot be pickled.
            inside = dict(zip(obj.__code__.co_freevars, obj.__closure__ or (), strict=True))
            return _decorated, (obj.original, inside["job_kwargs"].cell_contents)  # type: ignore[attr-defined]
        if id(obj) in _CURRENT:
            # By value it would be a copy, which knows nothing of the job that runs.
            return look_up, _CURRENT[id(obj)]
        return super().reducer_override(obj)  # type: ignore[no-untyped-call]  # cloudpickle ships no types


def dumps(value: object) -> bytes:
    """Pickle `value`; what the script defines goes into it by value, everything else by name."""
    content = io.BytesIO()
    _Pickler(content).dump(value)  # type: ignore[no-untyped-call]  # cloudpickle ships no types
    return content.getvalue()


class MainObjects:
    """Pickles of sets of objects; the same set, which many jobs of a flow share, is pickled once."""

    def __init__(self) -> None:
        self._pickled: dict[tuple[tuple[str, int], ...], tuple[dict[str, object], str]] = {}

    def encoded(self, objects: Mapping[str, object]) -> str:
        """The objects as text for :func:`install`.

        Raises
        ------
        UnpicklableMain
            One of them refers to something that cannot be sent, such as an open file.
        """
        key = tuple(sorted((name, id(value)) for name, value in objects.items()))
        if key not in self._pickled:
            # The objects are kept, so that no other one gets the same id.
            text = base64.b64encode(_dumps_or_explain(objects)).decode()
            self._pickled[key] = (dict(objects), f"{_PYTHON}:{text}")
        return self._pickled[key][1]


def main_object(name: str) -> object | None:
    """What the script calls `name`."""
    return getattr(sys.modules.get(MAIN), name, None)


def data_classes() -> dict[str, object]:
    """Classes of the script whose objects may be part of an output: a job may get them from another one."""
    kinds = (MSONable, BaseModel, Enum)
    return {
        name: value
        for name, value in vars(sys.modules[MAIN]).items()
        if isinstance(value, type)
        and value.__module__ == MAIN
        and value.__qualname__ == name
        and (issubclass(value, kinds) or dataclasses.is_dataclass(value) or hasattr(value, "from_dict"))
    }


def is_installed() -> bool:
    """Whether this process runs jobs of a script."""
    return _installed["module"] is not None and sys.modules.get(MAIN) is _installed["module"]


def can_be_sent(value: object) -> bool:
    """Whether `value` can be pickled."""
    try:
        dumps(value)
    except Exception:
        # Any error of a __reduce__ or a __getstate__.
        return False
    return True


_installed: dict[str, Any] = {"text": None, "module": None, "original": None}


def install(text: str) -> None:
    """Make the objects of :meth:`MainObjects.encoded` the content of ``__main__`` in this process.

    Raises
    ------
    OtherPython
        They were encoded by another version of Python.
    """
    if text == _installed["text"] and sys.modules.get(MAIN) is _installed["module"]:
        return
    # Flows of earlier versions of towline say nothing of their Python.
    python, _, pickled = text.rpartition(":")
    if python not in ("", _PYTHON):
        raise OtherPython(
            f"the functions of your script were sent from Python {python}, and {sys.executable} is {_PYTHON}, which "
            f"cannot run them; take the same one there (tow worker deploy WORKER --python {python}), or move the "
            "functions into a module that is installed on both sides"
        )
    objects = pickle.loads(base64.b64decode(pickled))
    # A module of its own: the objects may have the names of what runs this process.
    module = ModuleType(MAIN)
    vars(module).update(objects)
    # The module that started this process is kept, its functions still run.
    _installed["original"] = _installed["original"] or sys.modules.get(MAIN)
    _installed["text"], _installed["module"] = text, module
    sys.modules[MAIN] = module
    forget_classes()


def forget_classes() -> None:
    """Let monty look up classes anew: it remembers them by name, and the name may stand for another one now."""
    cache_clear = getattr(getattr(monty.json, "_resolve_class", None), "cache_clear", None)
    if cache_clear is not None:
        cache_clear()


def _decorated(function: Any, job_arguments: Mapping[str, Any]) -> Any:
    return job(function, **job_arguments)


def _is_job_decorator(function: FunctionType) -> bool:
    return hasattr(function, "original") and {"func", "job_kwargs"}.issubset(function.__code__.co_freevars)


def _is_importable(function: FunctionType) -> bool:
    if function.__module__ == MAIN:
        return False
    try:
        return look_up(function.__module__, function.__qualname__) is function
    except (ImportError, AttributeError):
        return False


def _dumps_or_explain(objects: Mapping[str, object]) -> bytes:
    try:
        return dumps(dict(objects))
    except Exception as error:
        # Any error of a __reduce__ or a __getstate__ of something that the script holds.
        culprits = [name for name, value in objects.items() if not can_be_sent(value)] or list(objects)
        found = sorted(set().union(*(_unsendable(objects[name], set()) for name in culprits)))
        used = ", ".join(found) or "a global variable"
        raise UnpicklableMain(
            f"{', '.join(culprits)} of your script cannot be sent to another process ({type(error).__name__}: {error}):"
            f" it uses {used}, which cannot be pickled. Make that inside the function, or move the function into a "
            "module file beside the script and import it"
        ) from error


def _unsendable(value: object, seen: set[int]) -> set[str]:
    """Names of the variables that a function or class of the script uses and that cannot be sent."""
    seen.add(id(value))
    functions = vars(value).values() if isinstance(value, type) else [value]
    found: set[str] = set()
    for function in functions:
        function = getattr(function, "original", function)
        if not isinstance(function, FunctionType):
            continue
        variables = inspect.getclosurevars(function)
        for name, used in {**variables.globals, **variables.nonlocals}.items():
            if id(used) not in seen and not can_be_sent(used):
                # What a function uses in its turn says more than the function.
                found |= _unsendable(used, seen) or {name}
    return found
