"""Text of a project file to a plain mapping and back: YAML, TOML and JSON."""

import io
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

from towline.errors import ProjectUnreadable

#: Format by ending of the file name.
FORMATS = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}

# A project file is small; the limits keep a wrong file, or one with aliases that multiply, from filling the memory.
_MAXIMUM_BYTES = 1_000_000
_MAXIMUM_VALUES = 20_000
_MAXIMUM_DEPTH = 40

_YAML_NULL = "tag:yaml.org,2002:null"


def read_text(path: Path) -> str:
    """Text of a configuration file.

    Raises
    ------
    ProjectUnreadable
        The file cannot be read, is too large or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ProjectUnreadable(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > _MAXIMUM_BYTES:
        raise ProjectUnreadable(f"{path} has {len(content)} bytes, which is too much for a project file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectUnreadable(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error


def parse(text: str, path: Path) -> dict[str, Any]:
    """The mapping in `text`, made of str, int, float, bool, None, list and dict only.

    Parameters
    ----------
    path
        Where the text comes from; its ending tells the format.

    Raises
    ------
    ProjectUnreadable
        The text is not valid in its format, or is no mapping; the message has the line.
    """
    parser = {"yaml": _parse_yaml, "toml": _parse_toml, "json": _parse_json}[FORMATS[path.suffix]]
    try:
        value = _plain(parser(text), _Budget())
    except RecursionError as error:
        raise ProjectUnreadable(f"{path} is nested too deeply; correct the file") from error
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        # ruamel.yaml lets some of these through for odd input (dates, numbers, merge keys).
        raise ProjectUnreadable(
            f"{path} is not valid {FORMATS[path.suffix].upper()}: {error}; correct the file"
        ) from error
    if not isinstance(value, dict):
        what = "empty" if value is None else f"a {type(value).__name__}"
        raise ProjectUnreadable(f"{path} is {what}; a project file has keys and values, the first one `name: ...`")
    return value


def render(document: Mapping[str, Any], file_format: str) -> str:
    """`document` as text.

    Parameters
    ----------
    file_format
        yaml, toml or json. TOML has no null: such keys are left out.
    """
    if file_format == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if file_format == "toml":
        # Only a command that writes TOML needs it.
        import tomli_w

        return tomli_w.dumps(without_none(document))
    return yaml_text(dict(document))


def yaml_text(value: object) -> str:
    """`value` as YAML; comments of ruamel.yaml's own mappings stay."""
    # YAML is slow to load, and nothing but YAML files needs it.
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        """Writes `null`, where ruamel.yaml writes nothing: a reader should see that there is a value."""

    Representer.add_representer(type(None), lambda representer, _: representer.represent_scalar(_YAML_NULL, "null"))
    yaml = YAML()
    yaml.Representer = Representer
    yaml.width = 1000
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def changed(text: str, path: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """`text` after `change` was applied to its mapping; comments of YAML stay.

    Raises
    ------
    ProjectUnreadable
        The text cannot be parsed.
    """
    document = parse(text, path)  # also checks what the YAML parser below would let through
    if FORMATS[path.suffix] != "yaml":
        change(document)
        return render(document, FORMATS[path.suffix])
    # YAML is slow to load, and nothing but YAML files needs it.
    from ruamel.yaml import YAML

    commented = YAML().load(text)
    change(commented)
    return yaml_text(commented)


def write_text(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only: it may hold passwords.

    Raises
    ------
    ProjectUnreadable
        The file cannot be written.
    """
    # Costs milliseconds at every command, and few commands write.
    import tempfile

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with mode 600.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ProjectUnreadable(f"{path} cannot be written: {error.strerror}") from error


def line_of(text: str, path: Path, keys: Sequence[str | int]) -> int | None:
    """Line (from 1) of the innermost of `keys` that stands in `text`; None when it cannot be told.

    Parameters
    ----------
    keys
        Keys and list positions from the outside in, as in ``("workers", "local", "max_jobs")``.
    """
    if FORMATS[path.suffix] == "toml":
        return _line_in_toml(text, keys)
    # YAML is slow to load; this is needed for error messages only.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, AttributeError):
        return None  # JSON that is no YAML, such as with tabs
    line = None
    for key in keys:
        found = _child(node, key)
        if found is None:
            break
        line, node = found
    return line


def without_none(value: Any) -> Any:
    """`value` without the keys whose value is None, at all depths."""
    if isinstance(value, Mapping):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value if item is not None]
    return value


def _parse_yaml(text: str) -> object:
    # YAML is slow to load, and nothing but YAML files needs it.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise ValueError(f"{where}{error.problem or error.context}") from error
    except YAMLError as error:
        raise ValueError(str(error)) from error


def _parse_toml(text: str) -> object:
    # Costs milliseconds at every command, and nothing but TOML files needs it.
    import tomllib

    return tomllib.loads(text)


def _parse_json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_without_duplicates)


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return result


class _Budget:
    """Counts the values of a document."""

    def __init__(self) -> None:
        self.values = 0

    def spend(self, depth: int) -> None:
        self.values += 1
        if self.values > _MAXIMUM_VALUES:
            raise ValueError(f"it has more than {_MAXIMUM_VALUES} values")
        if depth > _MAXIMUM_DEPTH:
            raise ValueError(f"it is nested more than {_MAXIMUM_DEPTH} deep")


def _plain(value: object, budget: _Budget, keys: tuple[str, ...] = ()) -> Any:
    budget.spend(len(keys))
    if isinstance(value, Mapping):
        return {name: _plain(item, budget, (*keys, name)) for name, item in _plain_items(value)}
    if isinstance(value, list | tuple | set):
        return [_plain(item, budget, (*keys, str(number))) for number, item in enumerate(value)]
    if value is None or isinstance(value, bool | int | str):
        return value
    where = f"{'.'.join(keys)}: " if keys else ""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}{value} is no number that towline can use")
        return value
    if isinstance(value, date | time):
        return value.isoformat()
    raise ValueError(f"{where}a value of type {type(value).__name__} is not possible")


def _plain_items(mapping: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    return ((_plain_key(key), item) for key, item in mapping.items())


def _plain_key(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise ValueError(f"the key {key!r} is no text; write it in quotes")


def _child(node: Any, key: str | int) -> tuple[int, Any] | None:
    """Line and node below `key`, in the syntax tree of YAML."""
    if node is None or not isinstance(node.value, list):
        return None
    if node.id == "mapping":
        for key_node, value_node in node.value:
            if key_node.value == str(key):
                return key_node.start_mark.line + 1, value_node
    elif node.id == "sequence" and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    return None


def _line_in_toml(text: str, keys: Sequence[str | int]) -> int | None:
    # Good for tables and plain keys, which is what project files have; inline tables give the line of the table.
    names = [str(key) for key in keys]
    table: list[str] = []
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = _toml_keys(stripped.partition("]")[0])
            here = table
        else:
            name, equals, _ = stripped.partition("=")
            if not equals:
                continue
            here = table + _toml_keys(name)
        depth = len(here)
        if names[:depth] == here and (best is None or depth > best[0]):
            best = (depth, number)
    return None if best is None else best[1]


def _toml_keys(text: str) -> list[str]:
    return [part.strip().strip("\"'") for part in text.strip("[ ]").split(".")]
