"""Valid projects come through every format as they were; one broken value is an error that names its key."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import towline
from towline.configuration.documents import FORMATS, render
from towline.configuration.files import read_project
from towline.errors import ConfigurationError
from towline.testing.command_line import tow

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

#: Texts that formats treat in ways of their own: words for true, numbers, dates, signs, several lines.
words = st.sampled_from(
    [
        *("plain", "on", "no", "null", "~", "1.5", "0x1f", "2024-01-01", "1e3", "#x", "a: b", "- a", "'", '"', "\\n"),
        *("two\nlines", "tab\there", " space ", "é\u2028ü", "{a}", "[b]", "*", "&a", "%", "@", "|", ">", "?", "$HOME"),
    ]
) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}", fullmatch=True)
plain = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.integers(-(10**6), 10**6).map(lambda number: number / 8) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
paths = st.lists(names.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3).map(
    lambda parts: "/" + "/".join(parts)
)
seconds = st.integers(1, 10**6) | st.integers(1, 10**6).map(lambda number: number / 8)
policies = st.fixed_dictionaries(
    {},
    optional={
        "timeout": st.fixed_dictionaries(
            {"times": st.integers(1, 9)},
            optional={"multiply": st.just({"time_limit": 2.5}), "keep": st.just(["*.chk"])},
        ),
        "oom": st.integers(1, 5),
        "any": st.fixed_dictionaries({"times": st.integers(1, 3), "handler": st.just("a.b:c")}),
    },
)
workers = st.fixed_dictionaries(
    {},
    optional={
        "type": st.just("local"),
        "scheduler_type": st.just("shell"),
        "work_dir": paths,
        "resources": st.dictionaries(st.sampled_from(["time_limit", "nodes"]), st.integers(1, 9), max_size=2),
        "pre_run": words,
        "post_run": words,
        "timeout_execute": st.integers(1, 1000),
        "max_jobs": st.integers(0, 99),
        "delay_download": st.integers(0, 9),
        "execution": st.sampled_from(["warm", "cold", "pooled"]),
        "preload": st.lists(st.sampled_from(["json", "os.path"]), max_size=2),
        "time_limit_grace_seconds": seconds,
        "retry": policies,
    },
)
stores = st.fixed_dictionaries(
    {},
    optional={
        "docs_store": st.just({"type": "sql"})
        | st.builds(lambda name: {"type": "MongoStore", "database": name, "collection_name": "x"}, names),
        "additional_stores": st.dictionaries(names, st.just({"type": "sql"}), max_size=2),
    },
)
documents = st.fixed_dictionaries(
    {"name": st.just("tried")},
    optional={
        "base_dir": paths,
        "log_dir": paths,
        "log_level": st.sampled_from(["error", "warn", "info", "debug"]),
        "runner": st.fixed_dictionaries(
            {},
            optional={
                "delay_checkout": seconds,
                "max_step_attempts": st.integers(0, 9),
                "delta_retry": st.lists(seconds, min_size=1, max_size=4),
                "delete_tmp_folder": st.booleans(),
            },
        ),
        "workers": st.dictionaries(names, workers, max_size=3),
        "exec_config": st.dictionaries(
            names,
            st.fixed_dictionaries(
                {},
                optional={
                    "modules": st.lists(words, max_size=3),
                    "export": st.dictionaries(st.from_regex(r"[A-Z_]{1,5}", fullmatch=True), words, max_size=3),
                    "pre_run": words,
                    "post_run": words,
                },
            ),
            max_size=2,
        ),
        "queue": st.builds(
            lambda path, prefix: {"store": {"url": f"sqlite:///{path}.db"}, "db_id_prefix": prefix},
            paths,
            st.sampled_from(["", "a", "x.y-"]),
        ),
        "jobstore": stores,
        "optional_jobstores": st.dictionaries(names, stores, max_size=2),
        "retry": policies,
        "hooks": st.lists(
            st.builds(
                lambda run, on: {"run": run, "on": on},
                words.filter(str.strip),
                st.lists(st.sampled_from(["FAILED", "flow finished"]), min_size=1, max_size=2, unique=True),
            ),
            max_size=2,
        ),
        "metadata": st.dictionaries(words, plain, max_size=3),
    },
)


def written(home: Path, document: dict[str, Any], ending: str) -> Path:
    path = home / f"tried{ending}"
    path.write_text(render(document, FORMATS[ending]), encoding="utf-8")
    return path


@QUICK
@given(documents)
def test_a_valid_project_is_the_same_in_every_format(home: Path, document: dict[str, Any]) -> None:
    yaml, toml, as_json = (read_project(written(home, document, ending)) for ending in (".yaml", ".toml", ".json"))
    assert yaml == toml == as_json
    for key in ("log_level", "metadata", "exec_config", "workers"):
        for name, value in (document.get(key) or {}).items() if isinstance(document.get(key), dict) else ():
            assert name in getattr(yaml, key)
            assert key != "metadata" or getattr(yaml, key)[name] == value


@pytest.mark.parametrize("ending", ["yaml", "toml", "json"])
@QUICK
@given(documents)
def test_a_project_that_is_written_is_read_as_it_was(home: Path, ending: str, document: dict[str, Any]) -> None:
    # Every example begins with an empty home.
    shutil.rmtree(home)
    home.mkdir()
    manager = towline.ConfigManager()
    manager.create_project(document, ext=ending)
    first = manager.get_project("tried")
    # Through the object, which knows every value that the file left out.
    manager.dump_project(manager.get_project_data("tried"))
    assert manager.get_project("tried") == first
    manager.update_project({"metadata": {"seen": True}}, "tried")
    changed = manager.get_project("tried")
    assert changed.metadata == {**(first.metadata or {}), "seen": True}
    assert changed.workers == first.workers


#: A place in a project, as keys, and values that it cannot have.
BROKEN = [
    (("name",), ["", "a/b", "../x", "x" * 65, ["a"]]),
    (("log_level",), ["loud", 3, ["info"]]),
    (("base_dir",), ["relative", 5, "${env:TOWLINE_NO_SUCH_VARIABLE}"]),
    (("runner",), [[], "fast"]),
    (("runner", "delay_checkout"), [0, -1, "soon", [], float("inf")]),
    (("runner", "delta_retry"), [[], "soon", [-1], 5]),
    (("runner", "max_step_attempts"), [-1, "x", 1.5]),
    (("runner", "dealy_checkout"), [5]),
    (("workers",), [[], "local", 5]),
    (("workers", "w", "max_jobs"), [-1, "many", 1.5, []]),
    (("workers", "w", "work_dir"), ["relative", 5, []]),
    (("workers", "w", "type"), ["nowhere", 5]),
    (("workers", "w", "execution"), ["hot", 5]),
    (("workers", "w", "timeout_execute"), [0, "x"]),
    (("workers", "w", "preload"), ["json", ["no module"], [[5]]]),
    (("workers", "w", "max_job"), [5]),
    (("workers", "w", "retry"), ["often", {"hunger": 3}, {"timeout": -1}, {"timeout": {"time": 2}}]),
    (("exec_config", "e", "export"), [["A=1"], {"not a name": "x"}, {"A": ["x"]}]),
    (("exec_config", "e", "modules"), [{"a": 1}, [["a"]]]),
    (("exec_config", "e", "module"), [["gcc"]]),
    (("queue", "store", "url"), ["mysql://x/y", "relative.db", "sqlite:///relative.db"]),
    (("queue", "db_id_prefix"), ["a b", "x" * 33]),
    (("jobstore", "docs_store"), ["sql", {"path": "/x"}, []]),
    (("jobstore", "doc_store"), [{"type": "sql"}]),
    (("optional_jobstores", "o", "additional_stores"), [["data"], 5]),
    (("retry",), ["often", {"hunger": 3}]),
    (("hooks",), [{"run": "true"}, "true"]),
    (("nonsense",), [5]),
]
PLACES = [(keys, value) for keys, values in BROKEN for value in values]


def broken(document: dict[str, Any], keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The document with this value at that place."""
    changed = copy.deepcopy(document)
    place = changed
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = value
    return changed


def refuse(home: Path, document: dict[str, Any], keys: tuple[str, ...], ending: str) -> None:
    path = home / f"tried{ending}"
    path.write_text(json.dumps(document) if ending == ".json" else render(document, "yaml"), encoding="utf-8")
    with pytest.raises(ConfigurationError) as told:
        read_project(path)
    assert ".".join(keys) in str(told.value), told.value
    assert str(path) in str(told.value)
    path.unlink()


@pytest.mark.parametrize(("keys", "value"), PLACES, ids=[f"{'.'.join(keys)}={value!r}" for keys, value in PLACES])
def test_one_broken_value_is_told_with_its_key(home: Path, keys: tuple[str, ...], value: Any) -> None:
    refuse(home, broken({"name": "tried"}, keys, value), keys, ".yaml")


@QUICK
@given(documents, st.lists(st.sampled_from(PLACES), min_size=1, max_size=3))
def test_broken_values_are_told_in_any_project(
    home: Path, document: dict[str, Any], places: list[tuple[tuple[str, ...], Any]]
) -> None:
    for keys, value in places:
        refuse(home, broken(document, keys, value), keys, ".json")


@pytest.mark.parametrize("text", ["workers: {w: {max_jobs: many}}", "workers: [", "name: [1]"])
def test_the_command_line_tells_it_without_a_traceback(home: Path, text: str) -> None:
    (home / "tried.yaml").write_text(f"name: tried\n{text}\n" if "name" not in text else text)
    for arguments in (("job", "list"), ("project", "check"), ("project", "show")):
        answer = tow("-p", "tried", *arguments)
        assert answer.code not in (0, None)
        assert "Traceback" not in answer.err + answer.out
    assert [path.name for path in home.iterdir() if path.is_file()] == ["tried.yaml"]
