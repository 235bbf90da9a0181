"""Names and patterns of files in a run folder: the same on this machine and behind a transport."""

import time
from pathlib import Path

import orjson
import pytest

from towline.core.records import ExitRecord
from towline.errors import InvalidRequest
from towline.on_worker import command
from towline.on_worker.command_payload import Command
from towline.operations.job_folders import FolderHere, JobFolder
from towline.operations.remote_folders import FolderThere
from towline.workers.transports.local import LocalTransport

FILES = (
    "a.csv",
    "b c.csv",
    ".hidden.csv",
    "x[1].csv",
    "d/e.csv",
    "d/.f/g.csv",
    "d/h/i.csv",
    "queue.out",
    "towline_x.csv",
)


@pytest.fixture(params=["here", "there"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> JobFolder:
    place = tmp_path / "run folder"
    for name in FILES:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)
    return FolderHere("7", place) if request.param == "here" else FolderThere("7", str(place), LocalTransport("w"))


PATTERNS = {
    "*.csv": {"a.csv", "b c.csv", "x[1].csv"},
    "**/*.csv": {"a.csv", "b c.csv", "x[1].csv", "d/e.csv", "d/h/i.csv"},
    "d/**/*": {"d/e.csv", "d/h/i.csv"},
    "x[1].csv": {"x[1].csv"},
    ".hid*": {".hidden.csv"},
    "[!a]*.csv": {"b c.csv", "x[1].csv"},
    "queue.out": {"queue.out"},
    "d/?.csv": {"d/e.csv"},
}


@pytest.mark.parametrize(("pattern", "names"), PATTERNS.items(), ids=PATTERNS)
def test_a_pattern_brings_what_it_means(folder: JobFolder, tmp_path: Path, pattern: str, names: set[str]) -> None:
    target = tmp_path / "target"
    fetched = folder.fetch([pattern], target, only_files=True)
    assert {str(path.relative_to(target)) for path in fetched} == names
    assert {path.read_text() for path in fetched} == names
    header = {"uuid": "u", "index": 1, "name": "n"}
    ended = ExitRecord(0, None, "exited", 1.0, 2.0, "here")
    declared = Command(header, {"argv": ["x"], "outputs": [pattern]}, {})
    result = command.collect(folder.path, declared, ended)
    assert result.output is not None
    assert set(orjson.loads(result.output)["output"]["files"]) == names


def test_folders_come_with_everything_in_them(folder: JobFolder, tmp_path: Path) -> None:
    fetched = folder.fetch(["d"], tmp_path / "t")
    assert {path.name for path in fetched} == {"e.csv", "g.csv", "i.csv"}
    assert {path.name for path in folder.fetch(["d*"], tmp_path / "t")} == {"e.csv", "g.csv", "i.csv"}
    assert folder.present(["*.csv", "*.e", "d"]) == ["*.csv", "d"]


def test_a_name_that_is_not_there_or_leads_out_is_refused(folder: JobFolder, tmp_path: Path) -> None:
    for name, words in (
        ("no*", "tow job files ls 7"),
        ("../x", "leads out"),
        ("/etc/passwd", "leads out"),
        ("", "leads"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            folder.fetch([name], tmp_path / "t")


def test_the_list_tells_what_is_whose(folder: JobFolder) -> None:
    listed = {entry.path: entry for entry in folder.entries()}
    assert set(FILES) | {"d", "d/h", "d/.f"} == set(listed)
    assert listed["d"].is_folder
    assert {path for path, entry in listed.items() if entry.is_own} == {"queue.out", "towline_x.csv"}
    assert listed["a.csv"].size_bytes == 5
    assert abs(listed["a.csv"].modified.timestamp() - time.time()) < 600


def test_files_are_read_and_followed(folder: JobFolder) -> None:
    path = Path(folder.path, "queue.out")
    path.write_bytes(b"0123456789")
    names = ["queue.out", "queue.err"]
    assert list(folder.read(names, 4).values()) == [("6789", 6), ("", 0)]
    assert list(folder.read(names, None).values()) == [("0123456789", 0), ("", 0)]
    followed = folder.follow(names, from_end=True)
    whole = folder.follow(names, from_end=False)
    assert list(whole.news()) == ["0123456789", ""]
    with path.open("ab") as file:
        file.write(b"abc")
    assert list(followed.news()) == ["abc", ""]
    assert list(whole.news()) == ["abc", ""]
    assert list(whole.news()) == ["", ""]


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="gone"):
        FolderHere("7", tmp_path / "no")
    with pytest.raises(InvalidRequest, match="gone"):
        FolderThere("7", str(tmp_path / "no"), LocalTransport("w")).entries()
