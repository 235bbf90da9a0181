"""What every transport has to do: a suite of tests to be bound to each implementation.

Subclass :class:`TransportContract` in a test module and give it the fixtures `transport` and `place`::

    class TestLocalTransport(TransportContract):
        @pytest.fixture
        def transport(self):
            transport = LocalTransport("here")
            yield transport
            transport.close()

        @pytest.fixture
        def place(self, tmp_path):
            return tmp_path / "there"

`place` is a folder that the worker can write to, and that this process sees under the same path.
"""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.errors import InvalidRequest, OutcomeUnknown, TransferFailed
from towline.testing.worker_contract import HOSTILE_NAMES
from towline.workers.transports.transport import Content, Existing, Selection, Source, Transport, Tree

#: More than the system takes as one argument.
_LONG_SCRIPT_BYTES = 300_000


class TransportContract:
    """Tests for a transport."""

    @pytest.fixture
    def transport(self) -> Iterator[Transport]:
        """Give a transport; override it."""
        raise NotImplementedError("bind the contract to an implementation: override the fixture transport")

    @pytest.fixture
    def place(self) -> Path:
        """Give a folder of the worker that this process sees too; override it."""
        raise NotImplementedError("bind the contract to an implementation: override the fixture place")

    # Scripts

    def test_a_script_gets_its_input_and_tells_output_errors_and_exit_code_apart(self, transport: Transport) -> None:
        data = bytes(range(256)) * 100
        result = transport.run("cat; echo wrong >&2; exit 3", stdin=data)
        assert (result.exit_code, result.stdout, result.stderr) == (3, data, b"wrong\n")

    @pytest.mark.parametrize("code", [0, 1, 127, 254, 255])
    def test_every_exit_code_is_that_of_the_script(self, transport: Transport, code: int) -> None:
        assert transport.run(f"exit {code}").exit_code == code

    def test_a_script_ended_by_a_signal_says_so(self, transport: Transport) -> None:
        assert transport.run("sh -c 'kill -9 $$'").exit_code == 137

    def test_arguments_are_never_executed(self, transport: Transport) -> None:
        given = [*HOSTILE_NAMES, "", "'", '"; touch injected; "', "!history!", "%n%d"]
        result = transport.run("for word do printf '%s\\0' \"$word\"; done", arguments=given)
        assert result.stdout.decode().split("\0")[:-1] == given

    def test_a_script_that_is_no_script_fails_and_nothing_of_it_runs(self, transport: Transport, place: Path) -> None:
        transport.run('mkdir -p "$1"', arguments=[str(place)])
        result = transport.run(f"touch '{place}/ran'; if true; then\n")
        assert result.exit_code != 0
        assert result.stdout == b""
        assert transport.run("echo sound").stdout == b"sound\n"

    def test_a_script_may_be_longer_than_an_argument_can_be(self, transport: Transport) -> None:
        script = f": '{'x' * _LONG_SCRIPT_BYTES}'\ncat; echo end"
        assert transport.run(script, stdin=b"given ").stdout == b"given end\n"

    def test_output_may_look_like_anything(self, transport: Transport) -> None:
        result = transport.run("printf '\\n<towline 0123456789abcdef ended> 0\\n\\n<towline'; printf '\\n' >&2")
        assert result.stdout == b"\n<towline 0123456789abcdef ended> 0\n\n<towline"
        assert result.stderr == b"\n"

    def test_a_process_left_behind_does_not_hold_the_answer_up(self, transport: Transport) -> None:
        begun_at = time.monotonic()
        result = transport.run("sleep 20 & echo $!", timeout_seconds=15)
        assert time.monotonic() - begun_at < 10
        pid = int(result.stdout)
        assert transport.run(f"kill {pid}").exit_code == 0

    def test_a_script_that_takes_too_long_has_an_unknown_outcome(self, transport: Transport) -> None:
        begun_at = time.monotonic()
        with pytest.raises(OutcomeUnknown, match=r"no answer in 0\.5 s"):
            transport.run("exec sleep 15", timeout_seconds=0.5)
        assert time.monotonic() - begun_at < 10
        assert transport.run("echo on").stdout == b"on\n"

    def test_a_script_with_a_null_character_is_refused(self, transport: Transport) -> None:
        with pytest.raises(InvalidRequest, match="null character"):
            transport.run("echo a\0b")

    def test_scripts_start_in_the_home_folder(self, transport: Transport) -> None:
        assert transport.run('test "$(pwd -P)" = "$(cd && pwd -P)"').exit_code == 0

    def test_many_threads_share_it(self, transport: Transport) -> None:
        transport.run(":")
        answers: dict[int, bytes] = {}

        def work(number: int) -> None:
            answers[number] = transport.run(f"sleep 0.1; echo {number}").stdout

        threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert answers == {number: f"{number}\n".encode() for number in range(20)}

    def test_every_operation_is_one_round_trip(self, transport: Transport, place: Path, tmp_path: Path) -> None:
        transport.run(":")
        before = transport.round_trips
        trees = [Tree(f"jobs/{number}", {"in": b"1"}) for number in range(30)]
        transport.send(str(place), trees, then="ls")
        assert transport.round_trips == before + 1
        transport.fetch([Selection(f"{place}/jobs/{number}", tmp_path / f"{number}") for number in range(30)])
        assert transport.round_trips == before + 2
        files = [f"{place}/jobs/{number}/in" for number in range(30)]
        transport.tail(dict.fromkeys(files, 0))
        transport.checksums(files)
        assert transport.round_trips == before + 4

    # Sending

    def test_trees_arrive_with_contents_and_modes(self, transport: Transport, place: Path, tmp_path: Path) -> None:
        source = tmp_path / "source"
        (source / "deep" / "deeper").mkdir(parents=True)
        (source / "empty").mkdir()
        (source / "deep" / "deeper" / "file").write_bytes(b"x" * 100_000)
        for name, mode in (("run", 0o755), ("secret", 0o600), ("read", 0o444)):
            (source / name).write_text(name)
            (source / name).chmod(mode)
        (source / "link").symlink_to("run")
        content: dict[str, Source] = {"bytes": b"\0\1", "x/y/z": Content(b"#!/bin/sh\n", 0o755), "copy": source}
        transport.send(str(place), [Tree("a/b/tree", content), Tree("single", b"alone")])
        tree = place / "a/b/tree"
        assert (tree / "bytes").read_bytes() == b"\0\1"
        assert (tree / "copy/deep/deeper/file").read_bytes() == b"x" * 100_000
        assert (tree / "copy/empty").is_dir()
        assert (tree / "copy/link").read_text() == "run"
        assert not (tree / "copy/link").is_symlink()
        modes = {name: stat.S_IMODE((tree / name).stat().st_mode) for name in ("copy/run", "copy/secret", "copy/read")}
        assert modes == {"copy/run": 0o755, "copy/secret": 0o600, "copy/read": 0o444}
        assert os.access(tree / "x/y/z", os.X_OK)
        assert (place / "single").read_bytes() == b"alone"
        assert sorted(path.name for path in place.iterdir()) == ["a", "single"]

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_names_go_there_and_come_back_as_they_are(
        self, transport: Transport, place: Path, tmp_path: Path, name: str
    ) -> None:
        root, tree = f"{place}/{name}", f"x/{name}"
        transport.send(root, [Tree(tree, {f"{name}/{name}": name.encode()})])
        assert (place / name / tree / name / name).read_text() == name
        (fetched,) = transport.fetch([Selection(f"{root}/{tree}", tmp_path / "back" / name)])
        assert dict(fetched.files) == {f"{name}/{name}": len(name.encode())}
        assert (tmp_path / "back" / name / name / name).read_text() == name
        file = f"{root}/{tree}/{name}/{name}"
        assert transport.tail({file: 0})[file].data == name.encode()
        assert transport.checksums([file])[file] == hashlib.sha256(name.encode()).hexdigest()
        transport.fetch_file(file, tmp_path / "one" / name)
        transport.send_file(tmp_path / "one" / name, f"{root}/again/{name}")
        assert (place / name / "again" / name).read_text() == name
        assert not list(place.rglob("injected"))

    def test_what_is_there_is_kept_or_replaced_as_a_whole(self, transport: Transport, place: Path) -> None:
        transport.send(str(place), [Tree("kept", {"old": b"1"}), Tree("replaced", {"old": b"1"}), Tree("file", b"1")])
        transport.send(
            str(place),
            [
                Tree("kept", {"new": b"2"}),
                Tree("replaced", {"new": b"2"}, Existing.REPLACE),
                Tree("file", b"2", Existing.REPLACE),
            ],
        )
        assert [path.name for path in (place / "kept").iterdir()] == ["old"]
        assert [path.name for path in (place / "replaced").iterdir()] == ["new"]
        assert (place / "file").read_bytes() == b"2"

    def test_what_follows_runs_in_the_root_when_everything_is_there(self, transport: Transport, place: Path) -> None:
        result = transport.send(str(place), [Tree("a", b"1"), Tree("b", b"2")], then="cat a b; cat; exit 7")
        assert (result.exit_code, result.stdout) == (7, b"12")

    @pytest.mark.parametrize("path", ["../out", "/out", "a/../../out", "", ".", "a\0b"])
    def test_a_path_out_of_the_root_is_refused(self, transport: Transport, place: Path, path: str) -> None:
        with pytest.raises(InvalidRequest):
            transport.send(str(place), [Tree(path, b"1")])
        with pytest.raises(InvalidRequest):
            transport.send(str(place), [Tree("a", {path: b"1"})])

    def test_what_cannot_be_written_is_a_failed_transfer(self, transport: Transport, place: Path) -> None:
        transport.send(str(place), [Tree("file", b"1")])
        with pytest.raises(TransferFailed, match="file"):
            transport.send(f"{place}/file/folder", [Tree("a", b"1")])
        with pytest.raises(TransferFailed):
            transport.send(str(place), [Tree("new", b"1"), Tree("file/in/file", b"1")])
        assert sorted(path.name for path in place.iterdir()) == ["file"]

    def test_what_cannot_be_read_here_leaves_nothing_there(
        self, transport: Transport, place: Path, tmp_path: Path
    ) -> None:
        os.mkfifo(tmp_path / "pipe")
        loop = tmp_path / "loop"
        loop.mkdir()
        (loop / "again").symlink_to(loop)
        for content in (tmp_path / "missing", tmp_path / "pipe", loop):
            with pytest.raises(InvalidRequest, match=content.name):
                transport.send(str(place), [Tree("first", b"x" * 1000), Tree("a", content)])
        assert transport.run('ls -A "$1" 2>/dev/null | grep -v towline', arguments=[str(place)]).stdout == b""

    # Fetching

    def test_patterns_choose_what_comes_and_what_is_missing_is_told(
        self, transport: Transport, place: Path, tmp_path: Path
    ) -> None:
        files = {name: name.encode() for name in ("a.csv", "b.csv", "c.txt", "out/d.e", "out/x/e.e", ".hidden", "[f]")}
        transport.send(str(place), [Tree("job", files)])
        patterns = ("*.csv", "**/*.e", "nothing", "*.none", "[[]f[]]")
        (fetched,) = transport.fetch([Selection(f"{place}/job", tmp_path / "got", patterns)])
        assert set(fetched.files) == {"a.csv", "b.csv", "out/d.e", "out/x/e.e", "[f]"}
        assert fetched.missing == ("nothing", "*.none")
        assert (tmp_path / "got/out/x/e.e").read_text() == "out/x/e.e"
        (fetched,) = transport.fetch([Selection(f"{place}/job", tmp_path / "all", (".",))])
        assert set(fetched.files) == set(files)
        (fetched,) = transport.fetch([Selection(f"{place}/nowhere", tmp_path / "none")])
        assert (dict(fetched.files), fetched.missing) == ({}, ("*",))

    def test_what_is_newer_replaces_what_is_here(self, transport: Transport, place: Path, tmp_path: Path) -> None:
        selection = Selection(f"{place}/job", tmp_path / "got")
        for content in (b"old", b"newer"):
            transport.send(str(place), [Tree("job", {"log": content}, Existing.REPLACE)])
            transport.fetch([selection])
            assert (tmp_path / "got/log").read_bytes() == content
        assert [path.name for path in (tmp_path / "got").iterdir()] == ["log"]

    def test_links_out_of_the_folder_and_pipes_stay_there(
        self, transport: Transport, place: Path, tmp_path: Path
    ) -> None:
        transport.send(str(place), [Tree("job", {"sub/real": b"data"})])
        transport.run(
            'cd "$1" && ln -s sub/real good && ln -s /etc/passwd away && ln -s ../../.. up && mkfifo pipe '
            "&& ln sub/real second",
            arguments=[f"{place}/job"],
        )
        (fetched,) = transport.fetch([Selection(f"{place}/job", tmp_path / "got")])
        assert set(fetched.files) == {"sub/real", "good", "second"}
        assert set(fetched.skipped) == {"away", "up", "pipe"}
        assert (tmp_path / "got/good").read_text() == "data"
        assert (tmp_path / "got/second").read_text() == "data"

    def test_a_link_that_somebody_put_into_the_target_is_not_followed(
        self, transport: Transport, place: Path, tmp_path: Path
    ) -> None:
        transport.send(str(place), [Tree("job", {"sub/file": b"data"})])
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "got").mkdir()
        (tmp_path / "got/sub").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(TransferFailed, match="link"):
            transport.fetch([Selection(f"{place}/job", tmp_path / "got")])
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_folders_that_lie_in_each_other_are_refused(
        self, transport: Transport, place: Path, tmp_path: Path
    ) -> None:
        inner = Selection(f"{place}/a/b", tmp_path / "b")
        for outer in (Selection(f"{place}/a", tmp_path / "a"), inner):
            with pytest.raises(InvalidRequest, match="selected"):
                transport.fetch([outer, inner])

    @pytest.mark.parametrize("pattern", ["/etc/passwd", "../x", "a/../../x", "", "**", "a/**"])
    def test_a_pattern_out_of_the_folder_is_refused(
        self, transport: Transport, place: Path, tmp_path: Path, pattern: str
    ) -> None:
        with pytest.raises(InvalidRequest, match="pattern"):
            transport.fetch([Selection(str(place), tmp_path, (pattern,))])

    def test_a_pattern_is_never_executed(self, transport: Transport, place: Path, tmp_path: Path) -> None:
        transport.send(str(place), [Tree("job", {"a b$x": b"1"})])
        patterns = ("a b$?", "$(touch injected)*", "`touch injected`[a]", "*;touch injected", "[$(touch injected)]")
        (fetched,) = transport.fetch([Selection(f"{place}/job", tmp_path / "got", patterns)])
        assert set(fetched.files) == {"a b$x"}
        assert fetched.missing == patterns[1:]
        assert transport.run('ls injected "$1/job/injected"', arguments=[str(place)]).exit_code != 0

    def test_progress_is_told(self, transport: Transport, place: Path, tmp_path: Path) -> None:
        told: list[tuple[int, int | None]] = []

        def progress(done: int, total: int | None) -> None:
            told.append((done, total))

        transport.send(str(place), [Tree("job", {"a": b"x" * 5000, "b": b"y" * 5000})], progress=progress)
        assert told[-1] == (10_000, 10_000)
        told.clear()
        transport.fetch([Selection(f"{place}/job", tmp_path / "got")], progress=progress)
        assert told[-1][0] >= 10_000
        told.clear()
        transport.fetch_file(f"{place}/job/a", tmp_path / "a", progress=progress)
        assert told[-1] == (5000, 5000)

    # Large files, tails, checksums

    def test_a_file_in_part_is_continued_and_checked(self, transport: Transport, place: Path, tmp_path: Path) -> None:
        data = os.urandom(1_000_000)
        transport.send(str(place), [Tree("file", data)])
        original = place / "file"
        modified_at = int(original.stat().st_mtime)
        part = tmp_path / f".file.{len(data)}-{modified_at}.towline-part"
        part.write_bytes(data[:600_000])
        told: list[int] = []
        size = transport.fetch_file(str(original), tmp_path / "file", progress=lambda done, _: told.append(done))
        assert size == len(data)
        assert told[0] > 600_000
        assert (tmp_path / "file").read_bytes() == data
        part.write_bytes(b"wrong" + data[5:600_000])
        with pytest.raises(TransferFailed, match="checksum"):
            transport.fetch_file(str(original), tmp_path / "file")
        assert transport.fetch_file(str(original), tmp_path / "file", verify=True) == len(data)
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".file")] == []

    def test_the_part_of_another_file_is_not_continued(self, transport: Transport, place: Path, tmp_path: Path) -> None:
        transport.send(str(place), [Tree("file", b"new content")])
        (tmp_path / ".file.11-1000.towline-part").write_bytes(b"old")
        transport.fetch_file(f"{place}/file", tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == b"new content"

    def test_a_file_that_is_not_there_is_a_failed_transfer(
        self, transport: Transport, place: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(TransferFailed, match="no such file"):
            transport.fetch_file(f"{place}/nothing", tmp_path / "file")
        assert not (tmp_path / "file").exists()

    def test_a_large_file_is_sent_and_continued(self, transport: Transport, place: Path, tmp_path: Path) -> None:
        source = tmp_path / "source"
        data = os.urandom(1_000_000)
        source.write_bytes(data)
        source.chmod(0o640)
        transport.send_file(source, f"{place}/new/file", verify=True)
        arrived = place / "new/file"
        assert arrived.read_bytes() == data
        assert stat.S_IMODE(arrived.stat().st_mode) == 0o640
        name = f".file.{len(data)}-{source.stat().st_mtime_ns}.towline-part"
        part = f"{place}/new/{name}"
        transport.run('rm "$1/file"; cat >"$2"', arguments=[f"{place}/new", part], stdin=data[:400_000])
        told: list[int] = []
        transport.send_file(source, f"{place}/new/file", progress=lambda done, _: told.append(done))
        assert told[0] > 400_000
        assert arrived.read_bytes() == data
        transport.run('cat >"$1"', arguments=[part], stdin=b"wrong")
        with pytest.raises(TransferFailed, match="checksum"):
            transport.send_file(source, f"{place}/new/file")
        transport.send_file(source, f"{place}/new/file")
        assert [path.name for path in (place / "new").iterdir()] == ["file"]

    def test_tails_give_what_is_new(self, transport: Transport, place: Path) -> None:
        transport.send(str(place), [Tree("job", {"log": b"line 1\nline 2\n", "none": b"", "big": b"z" * 5000})])
        names = {name: f"{place}/job/{name}" for name in ("log", "none", "big", "missing")}
        news = transport.tail(
            {names["log"]: 7, names["none"]: 0, names["big"]: 0, names["missing"]: 0}, limit_bytes=1000
        )
        assert news[names["log"]].data == b"line 2\n"
        assert (news[names["none"]].data, news[names["none"]].size) == (b"", 0)
        assert (len(news[names["big"]].data), news[names["big"]].size) == (1000, 5000)
        assert news[names["missing"]].size is None
        again = transport.tail({names["log"]: 14, names["big"]: 9000})
        assert (again[names["log"]].data, again[names["big"]].data) == (b"", b"")

    def test_checksums_are_those_of_the_contents(self, transport: Transport, place: Path) -> None:
        transport.send(str(place), [Tree("file", b"content"), Tree("empty", b"")])
        paths = [f"{place}/file", f"{place}/missing", f"{place}/empty", str(place)]
        expected = [hashlib.sha256(b"content").hexdigest(), None, hashlib.sha256(b"").hexdigest(), None]
        assert list(transport.checksums(paths).values()) == expected

    def test_paths_without_a_slash_are_in_the_home_folder(self, transport: Transport, tmp_path: Path) -> None:
        name = f"towline-test-{os.getpid()}"
        try:
            transport.send(f"~/{name}", [Tree("job", {"file": b"1"})])
            (fetched,) = transport.fetch([Selection(f"{name}/job", tmp_path / "got")])
            assert dict(fetched.files) == {"file": 1}
            assert transport.checksums([f"~/{name}/job/file"])[f"~/{name}/job/file"] is not None
        finally:
            transport.run('rm -rf -- "$HOME/$1"', arguments=[name])

    def test_it_says_that_it_works(self, transport: Transport) -> None:
        health = transport.check()
        assert health.connected
        assert health.reason is None
        assert health.round_trip_seconds is not None
        assert 0 < health.round_trip_seconds < 30
