"""A project file that was found valid is not checked again, and nothing but speed comes of that."""

import json
import subprocess
import sys

import pytest

from towline.configuration.checked import FOLDER
from towline.configuration.choice import load_project
from towline.configuration.files import read_project
from towline.errors import ProjectUnreadable

TEXT = """\
name: p
workers:
  here: {type: local, max_jobs: 3, preload: [json]}
  far: {type: remote, host: h, scheduler_type: slurm, work_dir: /w, resources: {nodes: 2}}
exec_config:
  env: {export: {A: "1"}, modules: [gcc, mpi]}
hooks: [{on: [FAILED, COMPLETED], run: "true"}]
jobstore: {docs_store: {type: sql}, additional_stores: {data: {type: sql}}}
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    path = tmp_path / "p.yaml"
    path.write_text(TEXT)
    return path


def stored(path):
    return path.parent / FOLDER / path.name


def test_what_is_recalled_is_what_was_checked(path):
    first = read_project(path)
    assert stored(path).stat().st_mode & 0o777 == 0o600
    again = read_project(path)
    assert again == first
    assert (again.source, repr(again)) == (path, repr(first))


@pytest.mark.parametrize("name", [(), ("p",)])
def test_neither_yaml_nor_pydantic_is_loaded_the_second_time(path, name):
    load_project(*name)
    program = (
        "import sys\nfrom towline.configuration.choice import load_project\n"
        f"assert load_project(*{name!r}).workers['here'].max_jobs == 3\n"
        "print([name for name in sys.modules if name.startswith(('pydantic', 'ruamel'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_every_edit_is_seen(path):
    read_project(path)
    path.write_text(TEXT.replace("max_jobs: 3", "max_jobs: 4"))
    assert read_project(path).workers["here"].max_jobs == 4
    path.write_text(TEXT + "no_such_key: 1\n")
    for _ in range(2):
        with pytest.raises(ProjectUnreadable, match="no_such_key"):
            read_project(path)
    path.write_text(TEXT)
    assert read_project(path).workers["here"].max_jobs == 3


def test_what_refers_to_something_else_is_made_each_time(path, monkeypatch):
    path.write_text("name: p\nbase_dir: ${env:PLACE}/p\n")
    for place in ("/one", "/two"):
        monkeypatch.setenv("PLACE", place)
        assert str(read_project(path).base_dir) == f"{place}/p"
    assert not stored(path).exists()


def test_another_home_directory_is_another_project(path, monkeypatch):
    path.write_text("name: p\nbase_dir: ~/p\n")
    for home in ("/one", "/two"):
        monkeypatch.setenv("HOME", home)
        assert str(read_project(path).base_dir) == f"{home}/p"


@pytest.mark.parametrize("damage", ["nothing", "cut", "other text", "class", "folder", "changed"])
def test_what_is_damaged_is_as_if_it_were_not_there(path, damage):
    first = read_project(path)
    place = stored(path)
    key, check, body = place.read_bytes().split(b"\n", 2)
    if damage == "folder":
        place.unlink()
        place.mkdir()
    else:
        contents = {
            "nothing": b"",
            "cut": place.read_bytes()[:-20],
            "other text": b"\xff\xfe\x00",
            "class": b"\n".join([key, check, json.dumps(["object", "Path", {}]).encode()]),
            "changed": b"\n".join([key, check, body.replace(b'"max_jobs": 3', b'"max_jobs": 9')]),
        }
        assert contents[damage] != place.read_bytes()
        place.write_bytes(contents[damage])
    assert read_project(path) == first


def test_a_home_that_cannot_be_written_does_no_harm(path):
    path.parent.joinpath(FOLDER).write_text("a file where the folder should be")
    assert read_project(path) == read_project(path)
