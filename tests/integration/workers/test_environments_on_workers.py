"""Environments made through a transport, with real wheels and real interpreters, on this machine."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.markers import default_environment

from towline.core.records import ShellSetup
from towline.errors import InvalidRequest, WorkerError
from towline.on_worker.environment_program import RECORD_FILE
from towline.testing.waiting import wait_until
from towline.workers.environments.installing import EnvironmentPlan, finished_python, make_environment, reaches_index
from towline.workers.environments.looking import Candidate, candidates
from towline.workers.environments.packages import Package, closure, distributions_named, package_of
from towline.workers.environments.wheels import file_name, runs_on, write_wheel
from towline.workers.transports.local import LocalTransport
from towline.workers.transports.shell_text import Shell

NOTHING = ShellSetup()


@pytest.fixture
def transport() -> LocalTransport:
    return LocalTransport("cluster", Shell(login=False), 60)


@pytest.fixture(scope="module")
def python() -> Candidate:
    (found,) = candidates(LocalTransport("cluster", Shell(login=False), 60), NOTHING, [sys.executable])[:1]
    return found


def package(name: str) -> Package:
    return package_of(metadata.distribution(name))


def plan(
    folder: Path, python: Candidate, names: Sequence[str], modules: Sequence[str], *, name: str = "first"
) -> EnvironmentPlan:
    return EnvironmentPlan(
        folder=str(folder),
        name=name,
        python=python,
        packages=tuple(map(package, names)),
        missing=(),
        on_top=False,
        modules=tuple(modules),
    )


def own_distribution(folder: Path, name: str, code: str) -> Package:
    """A package of one module, installed in a folder of its own."""
    facts = folder / f"{name}-1.0.dist-info"
    facts.mkdir(parents=True)
    (folder / f"{name}.py").write_text(code)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (facts / "RECORD").write_text(f"{name}.py,,\n{name}-1.0.dist-info/METADATA,,\n{name}-1.0.dist-info/RECORD,,\n")
    (found,) = metadata.distributions(path=[str(folder)])
    return package_of(found)


def run(python: str, *words: str) -> str:
    done = subprocess.run([python, *words], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.strip()


def test_pure_and_compiled_packages_work_where_they_were_sent(
    tmp_path: Path, transport: LocalTransport, python: Candidate
) -> None:
    made = plan(tmp_path / "it's $(touch injected) here", python, ["click", "orjson", "pydantic-core"], ["orjson"])
    assert finished_python(transport, made) is None
    said: list[str] = []
    progress: list[tuple[int, int | None]] = []
    work = tmp_path / "wheels"
    work.mkdir()
    result = make_environment(
        transport,
        NOTHING,
        made,
        work,
        from_index=False,
        say=said.append,
        progress=lambda done, total: progress.append((done, total)),
    )
    program = "import click, orjson; from importlib import metadata; print(orjson.__file__, metadata.version('click'))"
    where, version = run(result, "-I", "-c", program).rsplit(" ", 1)
    assert where.startswith(made.place)
    assert version == metadata.version("click")
    assert progress[-1][0] == progress[-1][1]
    assert finished_python(transport, made) == result
    assert not list(tmp_path.rglob("injected"))
    said.clear()
    assert make_environment(transport, NOTHING, made, work, from_index=False, say=said.append) == result
    assert not any(text.startswith("sending") for text in said)


def test_a_checkout_goes_along_with_its_programs_and_data(
    tmp_path: Path, transport: LocalTransport, python: Candidate
) -> None:
    made = plan(tmp_path / "there", python, ["towline", "click", "orjson", "psutil"], ["towline.core.records"])
    work = tmp_path / "wheels"
    work.mkdir()
    result = make_environment(transport, NOTHING, made, work, from_index=False)
    assert run(result, "-I", "-c", "import towline; print(towline.__file__)").startswith(made.place)
    assert "--version" in run(str(Path(result).parent / "tow"), "--help")
    assert list(Path(made.place).rglob("materials.toml"))
    assert (Path(made.place) / "bin" / "tow").read_text().startswith("#!")


def test_wheels_are_those_that_pip_takes(tmp_path: Path) -> None:
    wheel = write_wheel(package("rich"), tmp_path)
    target = tmp_path / "target"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", target, wheel],
        check=True,
        capture_output=True,
    )
    original = Path(str(metadata.distribution("rich").locate_file("rich/console.py")))
    assert (target / "rich" / "console.py").read_bytes() == original.read_bytes()
    with ZipFile(wheel) as archive:
        assert archive.testzip() is None
        assert not [name for name in archive.namelist() if name.endswith(".pyc")]


def test_a_package_says_where_it_runs(python: Candidate) -> None:
    tags = (python.facts or {})["tags"]
    pure, compiled = package("click"), package("orjson")
    assert runs_on(pure, tags)
    assert runs_on(compiled, tags)
    foreign = [tag.replace(f"cp{sys.version_info.major}{sys.version_info.minor}", "cp39") for tag in tags]
    assert runs_on(pure, foreign)
    assert not runs_on(compiled, foreign)
    assert file_name(replace(pure, tags=("py2-none-any", "py3-none-any"))).endswith("-py2.py3-none-any.whl")


def test_the_closure_follows_the_markers_of_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = {name: str(value) for name, value in default_environment().items()}
    names = {item.metadata["Name"] for item in closure(["towline"], here).distributions}
    assert {"towline", "jobflow", "maggma", "SQLAlchemy"} <= names
    assert "pytest" not in names
    own_distribution(tmp_path, "asks_for_more", "")
    with (tmp_path / "asks_for_more-1.0.dist-info" / "METADATA").open("a") as file:
        file.write("Requires-Dist: click\nRequires-Dist: not-on-this-one>=3; sys_platform == 'elsewhere'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert closure(["asks_for_more"], here).missing == ()
    elsewhere = closure(["asks_for_more"], {**here, "sys_platform": "elsewhere"})
    assert [item.metadata["Name"] for item in elsewhere.distributions] == ["asks_for_more", "click"]
    assert elsewhere.missing == ('not-on-this-one>=3; sys_platform == "elsewhere" (for asks-for-more)',)
    with pytest.raises(InvalidRequest, match="nosuchthing is not installed here"):
        closure(["nosuchthing"], here)


def test_a_module_may_stand_for_its_package() -> None:
    assert distributions_named("yaml") == ["PyYAML"]
    assert distributions_named("towline[postgresql]") == ["towline[postgresql]"]
    with pytest.raises(InvalidRequest, match="no package and no module here"):
        distributions_named("no_such_module_anywhere")


def test_one_that_was_killed_in_the_middle_leaves_the_others_and_the_next_one_completes(
    tmp_path: Path, transport: LocalTransport, python: Candidate
) -> None:
    folder, work = tmp_path / "there", tmp_path / "wheels"
    work.mkdir()
    old = make_environment(
        transport, NOTHING, plan(folder, python, ["click"], ["click"], name="old"), work, from_index=False
    )
    gate, pid_file = tmp_path / "gate", tmp_path / "pid"
    gate.touch()
    code = (
        "import os, pathlib, time\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(f'{{os.getpid()}} {{os.getppid()}}')\n"
        f"while pathlib.Path({str(gate)!r}).exists(): time.sleep(0.02)\n"
    )
    slow = own_distribution(tmp_path / "own", "slow_to_import", code)
    new = replace(plan(folder, python, ["click"], ["slow_to_import"], name="new"), packages=(package("click"), slow))
    child = os.fork()
    if child == 0:
        try:
            make_environment(transport, NOTHING, new, work, from_index=False)
        finally:
            os._exit(0)
    pids = wait_until(lambda: pid_file.exists() and pid_file.read_text().split(), 60, "the middle of it")
    for pid in map(int, pids):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(child, 0)
    assert finished_python(transport, new) is None
    assert (folder / "new" / "bin").exists()
    assert run(old, "-c", "import click; print('works')") == "works"
    gate.unlink()
    made = make_environment(transport, NOTHING, new, work, from_index=False)
    assert finished_python(transport, new) == made
    assert run(made, "-c", "import slow_to_import, click; print('works')") == "works"


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, transport: LocalTransport, python: Candidate) -> None:
    made = plan(tmp_path / "there", python, ["click", "orjson"], ["orjson"])
    work = tmp_path / "wheels"
    work.mkdir()
    # No file may be larger than 64 kB; a full disk is told the same way.
    with pytest.raises(WorkerError, match=r"cluster: .*first cannot be made: File too large"):
        make_environment(transport, ShellSetup(pre_run=("ulimit -f 64",)), made, work, from_index=False)
    assert not Path(made.place).exists()


def test_what_does_not_work_there_is_told_and_leaves_nothing(
    tmp_path: Path, transport: LocalTransport, python: Candidate
) -> None:
    made = plan(tmp_path / "there", python, ["click"], ["click", "not_in_there"])
    work = tmp_path / "wheels"
    work.mkdir()
    with pytest.raises(WorkerError, match="No module named 'not_in_there'"):
        make_environment(transport, NOTHING, made, work, from_index=False)
    assert not Path(made.place).exists()
    shadow = own_distribution(tmp_path / "shadow", "click", "").distribution
    setup = ShellSetup(export={"PYTHONPATH": str(shadow.locate_file(""))})
    with pytest.raises(WorkerError, match=r"click 1.0 comes before .*; look at PYTHONPATH there"):
        make_environment(transport, setup, replace(made, modules=("click",)), work, from_index=False)


def test_packages_come_from_the_index_of_the_worker_where_it_has_one(
    tmp_path: Path, transport: LocalTransport, python: Candidate
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    for name in ("click", "tomli-w"):
        write_wheel(package(name), index)
    own = own_distribution(tmp_path / "own", "of_my_own", "answer = 42\n")
    own = replace(own, in_index=False)
    made = plan(tmp_path / 'the "re" $HOME', python, [], ["click", "of_my_own"])
    made = replace(made, packages=(package("click"), own))
    quiet = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_EXTRA_INDEX_URL": "", "PIP_INDEX_URL": ""}
    nowhere = ShellSetup(export={**quiet, "PIP_FIND_LINKS": str(tmp_path / "nothing")})
    assert not reaches_index(transport, nowhere, made)
    somewhere = ShellSetup(export={**quiet, "PIP_FIND_LINKS": str(index)})
    assert reaches_index(transport, somewhere, made)
    work = tmp_path / "wheels"
    work.mkdir()
    result = make_environment(transport, somewhere, made, work, from_index=True)
    assert run(result, "-I", "-c", "import click, of_my_own; print(of_my_own.answer)") == "42"
    assert [path.name for path in Path(made.folder, "wheels").rglob("*.whl")] == ["of_my_own-1.0-py3-none-any.whl"]


def test_an_environment_on_top_of_another_one_sees_its_packages(
    tmp_path: Path, transport: LocalTransport, python: Candidate
) -> None:
    made = replace(plan(tmp_path / "there", python, ["click"], ["orjson", "click"]), on_top=True)
    work = tmp_path / "wheels"
    work.mkdir()
    result = make_environment(transport, NOTHING, made, work, from_index=False)
    where = run(result, "-I", "-c", "import click, orjson; print(click.__file__); print(orjson.__file__)").splitlines()
    assert where[0].startswith(made.place)
    assert where[1].startswith(sysconfig.get_path("platlib"))


def test_the_next_environment_is_made_with_the_python_below_the_last_one(
    tmp_path: Path, transport: LocalTransport, python: Candidate
) -> None:
    made = plan(tmp_path / "there", python, ["click"], ["click"])
    work = tmp_path / "wheels"
    work.mkdir()
    result = make_environment(transport, NOTHING, made, work, from_index=False)
    assert json.loads((Path(made.place) / RECORD_FILE).read_text())["packages"] == {"click": metadata.version("click")}
    (again,) = candidates(transport, NOTHING, [result])[:1]
    assert (again.facts or {})["executable"] == (python.facts or {})["executable"]
