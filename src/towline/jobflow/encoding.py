"""Arguments of jobs as JSON, exactly: what comes back is what was given.

Plain values are themselves. Objects with an `as_dict` are written as monty writes them (``{"@module", "@class",
...}``). For what JSON would change there are three notations: ``{"$tuple": [...]}``, ``{"$dict": [[key, value], ...]}``
for a dictionary whose keys are no text or that looks like something else, and ``{"$pickle": base64}`` for everything
else (arrays, times, members of enumerations, ...). NaN and large integers are left to :mod:`towline.core.documents`.
"""

import base64
import pickle
import sys
from enum import Enum
from types import MethodType
from typing import Any

from jobflow import OutputReference
from monty.json import MontyDecoder, MontyEncoder
from pydantic import BaseModel

from towline.errors import InvalidRequest
from towline.jobflow.main_module import dumps, main_object
from towline.jobflow.naming import MAIN, Unnameable, check_module, is_callable_by_name, look_up, name_of, stands_for

#: Types that are themselves in a document; see :mod:`towline.core.documents` for NaN and large integers.
_SCALARS = frozenset({type(None), bool, int, float, str})
_SPECIAL_KEYS = frozenset({"$tuple", "$dict", "$pickle"})


class Unwritable(InvalidRequest):
    """A value cannot be written down for another process."""


class MissingCode(InvalidRequest):
    """The code of a function or a class is not available in this process."""


class Encoder:
    """Writes the values of one job, and notes what else the job needs."""

    def __init__(self) -> None:
        #: False once something was written that takes more than a document to come back.
        self.plain = True
        #: Uuids that were referred to; complete as long as `plain` is True.
        self.references: dict[str, None] = {}
        #: Modules whose functions and classes were written by name.
        self.modules: set[str] = set()
        #: What the user's script defines, by name.
        self.main: dict[str, object] = {}

    def encode(self, value: Any) -> Any:
        """`value` as a tree that :func:`decode` turns back.

        Raises
        ------
        Unwritable
            It is of a type that can be neither written as JSON nor pickled.
        """
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is list:
            # Long lists of numbers are common, and going through them in Python is what costs.
            return value if _SCALARS.issuperset(map(type, value)) else [self.encode(item) for item in value]
        if kind is dict and _is_ordinary(value):
            return {key: self.encode(item) for key, item in value.items()}
        if kind is OutputReference:
            return self._reference(value)
        self.plain = False
        return self._object(value)

    def function(self, function: Any) -> dict[str, Any]:
        """The function of a job, by name, with the object that it is bound to.

        Raises
        ------
        Unnameable
            No other process could find it.
        Unwritable
            The object that it is bound to cannot be written.
        """
        bound = getattr(function, "__self__", None)
        if bound is None or not isinstance(function, MethodType):
            return self._by_name(function)
        owner = bound if isinstance(bound, type) else type(bound)
        name = function.__func__.__name__
        found = getattr(getattr(owner, name, None), "__func__", getattr(owner, name, None))
        if not stands_for(found, function.__func__):
            raise Unnameable(f"{owner.__name__}.{name} stands for another function than the one of the job")
        self.plain = False
        written = self._by_name(bound) if isinstance(bound, type) else self._mson(bound)
        return {"@module": function.__module__, "@callable": function.__qualname__, "@bound": written}

    def _reference(self, value: OutputReference) -> dict[str, Any]:
        self.references[value.uuid] = None
        attributes = [list(attribute) for attribute in value.attributes]
        if value.output_schema is not None or any(type(key) not in _SCALARS for _, key in attributes):
            self.plain = False
            written: dict[str, Any] = self._mson(value)
            return written
        return {
            "@module": "jobflow.core.reference",
            "@class": "OutputReference",
            "uuid": value.uuid,
            "attributes": attributes,
        }

    def _object(self, value: Any) -> Any:
        kind = type(value)
        if kind is tuple:
            return {"$tuple": [self.encode(item) for item in value]}
        if kind is dict:
            return {"$dict": [[self.encode(key), self.encode(item)] for key, item in value.items()]}
        if is_callable_by_name(value):
            try:
                return self._by_name(value)
            except Unnameable:
                return self._pickled(value)
        if _has_mson(value):
            try:
                module, name = name_of(kind)
            except Unnameable:
                return self._pickled(value)
            if "." in name:  # monty finds classes at the top level only
                return self._pickled(value)
            self._note(module, name, kind)
            return self._mson(value)
        return self._pickled(value)

    def _by_name(self, value: Any) -> dict[str, Any]:
        module, name = name_of(value)
        root = name.partition(".")[0]
        self._note(module, name, value if root == name else None)
        # Without "@bound": None, which monty writes: a document without null is written in one go.
        return {"@module": module, "@callable": name}

    def _note(self, module: str, name: str, value: object) -> None:
        self.modules.add(module)
        if module == MAIN:
            root = name.partition(".")[0]
            found = main_object(root)
            self.main[root] = found if value is None or stands_for(found, value) else value

    def _mson(self, value: Any) -> Any:
        try:
            document = MontyEncoder().default(value)
        except Exception as error:
            # Any error of the user's own as_dict.
            text = f"its {type(value).__name__} cannot be written: {type(error).__name__}: {error}"
            raise Unwritable(text) from error
        return self._inside(document)

    def _inside(self, value: Any) -> Any:
        """What an `as_dict` returned: its dictionaries may stand for objects, its tuples become lists as in JSON."""
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is list or kind is tuple:
            return [self._inside(item) for item in value]
        if kind is dict:
            if not all(type(key) is str for key in value) or (len(value) == 1 and not _SPECIAL_KEYS.isdisjoint(value)):
                return {"$dict": [[self._inside(key), self._inside(item)] for key, item in value.items()]}
            return {key: self._inside(item) for key, item in value.items()}
        if is_callable_by_name(value) or _has_mson(value):
            return self._object(value)
        return self._pickled(value)

    def _pickled(self, value: Any) -> dict[str, str]:
        kind = type(value)
        try:
            content = dumps(value)
            if kind.__module__ != MAIN and getattr(sys.modules.get(kind.__module__), "__file__", None):
                check_module(kind.__module__)
        except Exception as error:
            # Any error of a __reduce__ or a __getstate__.
            raise Unwritable(
                f"is of type {kind.__module__}.{kind.__qualname__}, which can be neither written as JSON nor pickled "
                f"({error}); give plain values, an MSONable object or the output of another job"
            ) from error
        self.modules.add(kind.__module__)
        return {"$pickle": base64.b64encode(content).decode()}


def decode(tree: Any) -> Any:
    """The value that :meth:`Encoder.encode` wrote.

    Raises
    ------
    MissingCode
        A class or a function that the value needs is not available here.
    """
    if isinstance(tree, list):
        return [decode(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1:
        key, content = next(iter(tree.items()))
        if key == "$tuple":
            return tuple(decode(item) for item in content)
        if key == "$dict":
            return {decode(key): decode(item) for key, item in content}
        if key == "$pickle":
            return _unpickled(content)
    if "@module" in tree:
        return _from_mson(tree)
    return {key: decode(item) for key, item in tree.items()}


def decode_function(tree: dict[str, Any]) -> Any:
    """The function of a job that :meth:`Encoder.function` wrote.

    Raises
    ------
    MissingCode
        It is not available here.
    """
    if "@callable" not in tree:
        return decode(tree)
    module, name = tree["@module"], tree["@callable"]
    try:
        if tree.get("@bound") is not None:
            return getattr(decode(tree["@bound"]), name.rpartition(".")[2])
        return look_up(module, name)
    except ImportError as error:
        raise missing_code(name, module, error) from error
    except AttributeError as error:
        file = getattr(sys.modules.get(module), "__file__", None)
        raise MissingCode(
            f"module {module} ({file or 'built in'}) has no {name} here; it had when the flow was submitted: bring the "
            "code on the worker to the same version"
        ) from error


def missing_code(name: str, module: str, error: Exception) -> MissingCode:
    """The error for code whose module cannot be imported."""
    return MissingCode(
        f"{name} needs module {module}, which {sys.executable} cannot import ({error}); install it in that "
        "environment, or add its folder to PYTHONPATH with `export` in the exec_config or `pre_run` of the worker"
    )


def _from_mson(tree: dict[str, Any]) -> Any:
    document = _natively(tree)
    try:
        found = MontyDecoder().process_decoded(document)
    except ImportError as error:
        raise missing_code(str(tree.get("@class") or tree.get("@callable")), tree["@module"], error) from error
    if isinstance(found, dict):
        # monty gives back the dictionary when it does not find the class; a job must not run with that.
        name = str(tree.get("@class") or tree.get("@callable"))
        try:
            look_up(tree["@module"], name)
        except ImportError as error:
            raise missing_code(name, tree["@module"], error) from error
        except AttributeError as error:
            raise MissingCode(f"module {tree['@module']} has no {name} here, which an argument needs") from error
    return found


def _natively(tree: Any) -> Any:
    """What an `as_dict` returned, for the `from_dict` that belongs to it."""
    if isinstance(tree, list):
        return [_natively(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if len(tree) == 1 and not _SPECIAL_KEYS.isdisjoint(tree):
        key, content = next(iter(tree.items()))
        if key == "$dict":
            return {_natively(key): _natively(item) for key, item in content}
        return decode(tree)
    return {key: _natively(item) for key, item in tree.items()}


def _unpickled(text: str) -> Any:
    try:
        return pickle.loads(base64.b64decode(text))
    except ImportError as error:
        raise missing_code("an argument", getattr(error, "name", None) or "?", error) from error
    except AttributeError as error:
        raise MissingCode(f"an argument needs code that is not here: {error}") from error


def _is_ordinary(value: dict[Any, Any]) -> bool:
    """Whether a dictionary of the user cannot be taken for anything else."""
    if not all(type(key) is str for key in value) or "@module" in value or "@class" in value:
        return False
    return len(value) != 1 or not next(iter(value)).startswith("$")


def _has_mson(value: object) -> bool:
    return isinstance(value, BaseModel) or (hasattr(type(value), "as_dict") and not isinstance(value, Enum))
