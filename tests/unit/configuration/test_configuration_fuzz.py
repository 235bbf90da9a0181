import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from towline.configuration.documents import without_none, yaml_text
from towline.configuration.files import read_project
from towline.configuration.schema import project_json_schema
from towline.configuration.templates import project_text
from towline.errors import ConfigurationError

_SCHEMA = project_json_schema()
_KEYS = [key for part in (_SCHEMA, *_SCHEMA["$defs"].values()) for key in part["properties"]]
_WORDS = [
    "local",
    "shell",
    "a",
    "slurm",
    "remote",
    "/x",
    "~",
    "${env:NOT_SET}",
    "sqlite:///",
    "sql",
    "@class",
    "url",
    "type",
]
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(_WORDS), st.text(max_size=8), st.dates()
)
_KEY = st.one_of(st.sampled_from([*_KEYS, *_WORDS]), st.text(max_size=5))
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEY, inner, max_size=4)),
    max_leaves=12,
)
_DOCUMENTS = st.dictionaries(_KEY, _VALUES, max_size=6).map(lambda document: {"name": "a", **document})
_QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_or_refuse(path: Path) -> None:
    """Nothing but a valid project or a ConfigurationError that names the file."""
    try:
        source: str | Path | None = read_project(path).source
    except ConfigurationError as error:
        source = str(error)
    assert str(path) in str(source)


def as_json(document: Any) -> str:
    return json.dumps(document, default=str)


def as_toml(document: Any) -> str:
    return tomli_w.dumps(without_none(json.loads(as_json(document), parse_constant=str)))


@pytest.mark.parametrize(("ending", "write"), [("json", as_json), ("yaml", yaml_text), ("toml", None)])
@_QUICK
@given(document=_DOCUMENTS)
def test_any_document_is_a_project_or_a_configuration_error(
    home: Path, ending: str, write: Callable[[Any], str] | None, document: Any
) -> None:
    path = home / f"a.{ending}"
    if write is None:
        try:
            text = as_toml(document)
        except (TypeError, ValueError):
            return  # not every document can be TOML
    else:
        text = write(document)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    read_or_refuse(path)


@pytest.mark.parametrize("ending", ["yaml", "toml", "json"])
@_QUICK
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_project_or_a_configuration_error(home: Path, ending: str, content: bytes) -> None:
    path = home / f"a.{ending}"
    path.write_bytes(content)
    read_or_refuse(path)


@pytest.mark.parametrize("ending", ["yaml", "toml", "json"])
@_QUICK
@given(place=st.integers(min_value=0, max_value=2000), junk=st.text(max_size=6), length=st.integers(0, 8))
def test_a_damaged_file_is_a_project_or_a_configuration_error(
    home: Path, ending: str, place: int, junk: str, length: int
) -> None:
    text = project_text("a", ending, home, full=False) + (
        "exec_config: {e: {modules: [a]}}\n" if ending == "yaml" else ""
    )
    place %= len(text) + 1
    path = home / f"a.{ending}"
    path.write_text(text[:place] + junk.encode("utf-8", "replace").decode() + text[place + length :])
    read_or_refuse(path)
