"""What a process says it runs jobs with."""

import hashlib
import sys
from importlib import metadata
from pathlib import Path

import orjson
import pytest

from towline.on_worker.environment_record import environment_record


@pytest.fixture(autouse=True)
def fresh():
    environment_record.cache_clear()
    yield
    environment_record.cache_clear()


def test_the_versions_are_those_that_python_itself_finds() -> None:
    identifier, content = environment_record()
    document = orjson.loads(content)
    assert identifier == hashlib.sha256(content).hexdigest()[:16]
    assert document["executable"] == sys.executable
    for name in ("towline", "jobflow", "ruamel-yaml", "typing-extensions", "pydantic"):
        assert document["packages"][name] == metadata.version(name)
    found = {item.metadata["Name"] for item in metadata.distributions()}
    assert len(document["packages"]) >= len(found) - 3


def test_another_package_and_other_modules_make_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, _ = environment_record()
    (tmp_path / "Only_Here-1.0rc1.dist-info").mkdir()
    (tmp_path / "jobflow-0.0.1.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("LOADEDMODULES", "gcc/12:python/3.11")
    environment_record.cache_clear()
    after, content = environment_record()
    document = orjson.loads(content)
    assert after != before
    assert document["packages"]["only-here"] == "1.0rc1"
    assert document["packages"]["jobflow"] == "0.0.1"
    assert document["modules"] == ["gcc/12", "python/3.11"]
