"""`tow run`, on this machine and on a host behind SSH."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from towline.testing.sshd import ACCOUNT, SshSite, site_or_skip
from towline.testing.terminal import Terminal, terminal
from towline.testing.waiting import wait_until


@pytest.fixture(scope="module")
def site() -> Iterator[SshSite]:
    with site_or_skip("run") as site:
        site.add("cluster")
        place = site.folder / "place"
        place.mkdir()
        shutil.chown(place, ACCOUNT, ACCOUNT)
        yield site


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    with terminal(tmp_path_factory.mktemp("run") / "home") as opened:
        yield opened


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, site: SshSite) -> Iterator[Terminal]:
    project = (
        "name: there\nworkers:\n  cluster:\n    type: remote\n    host: cluster\n"
        f"    ssh_config: {site.config}\n    work_dir: {site.folder}/place/jobs of mine\n"
    )
    with terminal(tmp_path_factory.mktemp("run") / "home", {"there.yaml": project}) as opened:
        yield opened


@pytest.fixture(params=["here", pytest.param("there", marks=pytest.mark.ssh)])
def tow(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    opened: Terminal = request.getfixturevalue(request.param)
    shutil.rmtree(opened.here)
    opened.here.mkdir()
    yield opened
    assert not list(opened.here.rglob("INJECTED"))


def put(tow: Terminal, **files: str) -> None:
    for name, text in files.items():
        path = tow.here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_inputs_go_over_and_outputs_come_back_under_their_names(tow: Terminal) -> None:
    put(tow, **{"sim.i": "[Mesh]\n", "mesh/a.e": "A", "mesh/deep/b.e": "B", "other/c.e": "C"})
    (tow.here / "mesh" / "empty").mkdir()
    script = "cat sim.i mesh/a.e mesh/deep/b.e other/c.e new && ls mesh && mkdir -p results/1 && "
    script += "echo 1 >run.csv && echo 2 >results/1/x.dat && echo no >other.txt && echo said >&2 && exit 0"
    done = tow(
        *("run", "--nodes", "1", "--ntasks", "4", "--time", "1:00:00", "-i", "sim.i", "-i", "mesh/", "-i", "other/c.e"),
        *("-i", f"new={tow.here}/sim.i", "-o", "*.csv", "-o", "results/**/*.dat", "--into", "got", "sh", "-c", script),
    )
    assert done.stdout == "[Mesh]\nABC[Mesh]\na.e\ndeep\nempty\n"
    states = [line.split()[1] for line in done.stderr.splitlines() if line[2:3] == ":"]
    assert states[0] == "READY"
    assert states[-1] == "COMPLETED"
    assert "said" in done.stderr.splitlines()
    assert tree(tow.here / "got") == {"run.csv": b"1\n", "results/1/x.dat": b"2\n"}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -9 $$"], 137),
        (["no-such-program"], 127),
    ],
)
def test_the_exit_code_is_that_of_the_command(tow: Terminal, command: list[str], code: int) -> None:
    assert "FAILED" in tow("run", "--", *command, code=code).stderr


def test_a_job_that_takes_longer_than_its_limit_ends_with_124(tow: Terminal) -> None:
    done = tow("run", "-t", "1", "sleep", "60", code=124)
    assert "time limit" in done.stderr


HOSTILE = (
    "$HOME",
    "$(touch INJECTED)",
    "`touch INJECTED`",
    "a b",
    "it's",
    'say "x"',
    "two\nlines",
    "-rf",
    "*",
    "a;b",
    "ü",
)


def test_nothing_in_a_name_is_executed(tow: Terminal) -> None:
    for number, name in enumerate(HOSTILE):
        (tow.here / name).write_bytes(b"%d" % number * (70_000 if number % 3 == 0 else 1))
    inputs = [word for name in HOSTILE for word in ("-i", f"./{name}")]
    variables = [word for number, name in enumerate(HOSTILE) for word in ("-e", f"V{number}={name}")]
    script = 'for name in "$@"; do [ -f "./$name" ] || echo missing "$name"; cp "./$name" "out $name"; done; '
    script += 'for value in "$V0" "$V1" "$V2" "$V3" "$V4" "$V5" "$V6" "$V7" "$V8"; do printf "%s|" "$value"; done'
    done = tow(
        *("run", *inputs, *variables, "--name", "$(touch INJECTED)\n;`touch INJECTED`", "-o", "out ?*", "--into", "g"),
        *("--", "sh", "-c", script, "sh", *HOSTILE),
    )
    assert done.stdout == "".join(f"{value}|" for value in HOSTILE[:9])
    assert {name.removeprefix("out ") for name in tree(tow.here / "g")} == set(HOSTILE)
    assert all((tow.here / "g" / f"out {name}").read_bytes() == (tow.here / name).read_bytes() for name in HOSTILE)


def test_large_files_go_over_whole_and_executables_stay_executable(tow: Terminal) -> None:
    data = os.urandom(10_000_000)
    (tow.here / "big.bin").write_bytes(data)
    (tow.here / "program").write_text("#!/bin/sh\nsha256sum <big.bin; cp big.bin copy.bin\n")
    (tow.here / "program").chmod(0o755)
    done = tow("run", "-i", "big.bin", "-i", "program", "-o", "copy.bin", "--into", ".", "--", "./program")
    assert hashlib.sha256(data).hexdigest() in done.stdout
    assert (tow.here / "copy.bin").read_bytes() == data


def test_a_folder_of_very_many_files_goes_over(tow: Terminal) -> None:
    (tow.here / "mesh").mkdir()
    for number in range(1500):
        (tow.here / "mesh" / f"part {number:04}.e").write_bytes(b"%04d" % number * 300)
    script = "cat mesh/* >all; ls mesh | wc -l; ls -a | grep -c towline_inputs; mkdir -p a/b; echo >a/x; echo >a/b/y"
    done = tow("run", "-i", "mesh", "-o", "*", "-o", "a/", "--into", "got", "sh", "-c", script)
    assert done.stdout.split() == ["1500", "1"]
    assert sorted(tree(tow.here / "got")) == ["a/b/y", "a/x", "all"]
    assert (tow.here / "got" / "all").read_bytes() == b"".join(b"%04d" % number * 300 for number in range(1500))


def test_a_file_on_the_worker_is_referred_to_without_a_copy(tow: Terminal) -> None:
    script = 'readlink hosts; readlink data; [ -s hosts ] && echo "there"'
    done = tow("run", "-i", "worker:/etc/hosts", "-i", "data=worker:/etc", "--", "sh", "-c", script)
    assert done.stdout == "/etc/hosts\n/etc\nthere\n"


def test_a_file_that_is_not_on_the_worker_is_told_by_its_name(tow: Terminal) -> None:
    job = tow("run", "-d", "-i", "x=worker:/no/such file", "true").stdout.strip()
    tow("wait", job, code=3)
    info = tow.json("job", "info", job)
    assert "/no/such file" in f"{info['failure']}"


def test_a_detached_job_is_followed_and_its_files_come_later(tow: Terminal) -> None:
    script = "echo first; until [ -e go ]; do sleep 0.05; done; echo last; echo 1 >a.csv; mkdir d; echo 2 >'d/x y.csv'"
    job = tow("run", "--detach", "-o", "*.csv", "-o", "d/*", "--", "sh", "-c", script).stdout
    assert job.strip().isdigit()
    job = job.strip()
    tow.wait_for_state(job, "RUNNING")
    following = tow.begin("job", "queue-out", job, "--follow")
    assert following.stdout is not None
    assert following.stdout.readline() == "first\n"
    Path(tow.json("job", "info", job)["run_dir"], "go").write_text("")
    printed, _ = following.communicate(timeout=120)
    assert printed == "last\n"
    tow("wait", job)
    listed = {item["path"]: item for item in tow.json("job", "files", "ls", job)}
    assert (listed["d"]["is_folder"], listed["d/x y.csv"]["size_bytes"], listed["queue.out"]["is_own"]) == (
        True,
        2,
        True,
    )
    tow("job", "files", "get", job, "--path", "all")
    assert tree(tow.here / "all") == {"a.csv": b"1\n", "d/x y.csv": b"2\n"}
    assert "is not what the job left" not in tow("job", "files", "get", job, "d/x*", "--path", "one").stderr
    assert tree(tow.here / "one") == {"d/x y.csv": b"2\n"}
    Path(tow.json("job", "info", job)["run_dir"], "d", "x y.csv").write_text("another")
    assert "one/d/x y.csv is not what the job left" in tow("job", "files", "get", job, "d", "--path", "one").stderr
    folder = Path(tow.json("job", "info", job)["run_dir"])
    assert tow("job", "files", "delete", job, "--yes").stdout == f"{folder}\n"
    assert not folder.exists()
    assert "gone" in tow("job", "files", "ls", job, code=1).stderr
    job = tow("run", "-d", "true").stdout.strip()
    tow("wait", job)
    for wrong in ("nothing*", "../x", "/etc/passwd"):
        assert "tow: " in tow("job", "files", "get", job, wrong, code=1).stderr


def test_a_stopped_job_is_gone_with_its_children(tow: Terminal) -> None:
    running = tow.begin("run", "sh", "-c", "sleep 987 & echo $! && wait")
    assert running.stdout is not None
    child = int(running.stdout.readline())
    assert psutil.pid_exists(child)
    job = tow.json("job", "list", "-m", "1")[0]["db_id"]
    tow("job", "stop", job)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 143
    assert "USER_STOPPED" in said
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie", 60, "its end")


def test_ctrl_c_leaves_the_job_alone_and_says_how_to_go_on(tow: Terminal) -> None:
    running = tow.begin("run", "-o", "*.csv", "sh", "-c", "echo begun; sleep 986")
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    job = tow.json("job", "list", "-m", "1")[0]["db_id"]
    assert running.returncode == 130
    assert f"tow job queue-out {job} --follow" in said
    assert f"tow job stop {job}" in said
    assert tow.state(job) == "RUNNING"
    tow("job", "stop", job)


def test_outputs_of_a_job_that_failed_come_as_far_as_they_are_there(tow: Terminal) -> None:
    tow("run", "-o", "*.csv", "-o", "*.e", "--into", "g", "sh", "-c", "echo 1 >a.csv; exit 4", code=4)
    assert tree(tow.here / "g") == {"a.csv": b"1\n"}


def test_a_pattern_that_matches_nothing_fails_the_job(tow: Terminal) -> None:
    done = tow("run", "-o", "*.csv", "true", code=3)
    assert "no file matches the declared output '*.csv'" in done.stderr


FLOW = """
from pathlib import Path
from jobflow import Flow
from towline import command, submit_flow, wait_flow, worker_file

first = command(
    "cat mesh/a note; wc -c <mesh/big; readlink hosts; echo E = 1.5; echo E = 2.5; printf 't,e\\\\n0,7\\\\n' >x.csv",
    inputs={"mesh": Path("mesh"), "note": Path("note"), "hosts": worker_file("/etc/hosts")},
    outputs=["*.csv"],
    values={"energy": r"E = (\\S+)", "last": {"file": "x.csv", "column": "e"}},
)
second = command(
    ["sh", "-c", 'cat y.csv; echo "$1 $2 $CODE"', "sh", *(first.output["values"][name] for name in ("energy", "last"))],
    inputs={"y.csv": first.output["files"]["x.csv"]},
    environment={"CODE": first.output["exit_code"]},
)
ids = submit_flow(Flow([first, second]))
print(*ids, bool(wait_flow(ids, timeout_seconds=120)))
"""


def test_jobs_of_a_flow_use_files_and_values_of_commands(tow: Terminal) -> None:
    put(tow, **{"mesh/a": "A\n", "note": "N\n", "flow.py": FLOW})
    (tow.here / "mesh" / "big").write_bytes(bytes(200_000))
    typed = [sys.executable, "flow.py"]
    tow("runner", "start", code=0 if not tow.json("runner", "status")["active"] else 1)
    done = subprocess.run(typed, cwd=tow.here, env=tow.environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    first, second, completed = done.stdout.split()
    assert completed == "True", tow("job", "info", first).stdout + tow("job", "info", second).stdout
    printed = tow("job", "queue-out", first).stdout.split()
    assert printed[:4] == ["A", "N", "200000", "/etc/hosts"]
    assert tow("job", "queue-out", second).stdout == "t,e\n0,7\n2.5 7 0\n"


@pytest.mark.ssh
def test_a_flow_with_a_file_that_is_not_here_is_refused_for_a_worker_elsewhere(there: Terminal) -> None:
    program = "from pathlib import Path; from towline import command, submit_flow; "
    program += "submit_flow(command(['true'], inputs={'x': Path('/no/such/file')}))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=there.environment, capture_output=True, text=True, timeout=100
    )
    assert "InvalidFlow" in done.stderr
    assert "there is no input '/no/such/file'" in done.stderr
    assert "towline.worker_file(path)" in done.stderr


def test_inputs_that_cannot_be_had_are_refused_before_anything_is_submitted(here: Terminal) -> None:
    tow = here
    put(tow, **{"a/x": "1", "b/x": "2", "x": "3", "queue.out": ""})
    os.mkfifo(tow.here / "pipe")
    (tow.here / "dangling").symlink_to("nowhere")
    (tow.here / "loop").mkdir()
    (tow.here / "loop" / "back").symlink_to("..")
    jobs = len(tow.json("job", "list"))
    for inputs, words in (
        (["missing"], "there is no input 'missing'"),
        (["x=a/x", "x"], "two inputs would have the name 'x'"),
        (["x", "x/y=b/x"], "a file and something in it"),
        (["pipe"], "neither a file nor a folder"),
        (["dangling"], "nowhere"),
        (["loop"], "a link to a folder that contains it"),
        (["queue.out"], "the name of a file of towline"),
        (["../x=x"], "leads out of the folder of the job"),
        (["worker:relative"], "no absolute path on the worker"),
    ):
        words_typed = [word for text in inputs for word in ("-i", text)]
        assert words in tow("run", *words_typed, "true", code=1).stderr
    assert len(tow.json("job", "list")) == jobs
    assert "is not set here" in tow("run", "-e", "NO_SUCH_VARIABLE", "true", code=1).stderr
    assert "no worker 'nowhere'" in tow("run", "-w", "nowhere", "true", code=1).stderr
    assert "leads out of the folder" in tow("run", "-o", "/etc/*", "true", code=1).stderr


def test_an_input_that_changed_before_the_job_started_is_told(here: Terminal) -> None:
    tow = here
    (tow.here / "large").write_bytes(bytes(100_000))
    job = tow("run", "-d", "-i", "large", "false").stdout.strip()
    tow.wait_for_state(job, "FAILED")
    (tow.here / "large").write_bytes(bytes(200_000))
    tow("job", "rerun", job)
    tow.wait_for_state(job, "REMOTE_ERROR")
    told = " ".join(tow("job", "info", job).stdout.split())
    assert "was changed; submit the job again" in told
