"""What a job does to itself stays with that job: it says what happened, and its neighbours complete.

All of these jobs run together, each between two neighbours that are like any job, once for every way in which jobs are
executed.
"""

import contextlib
import signal
from pathlib import Path

import psutil
import pytest
from jobflow import Flow

import towline
from towline.core.states import JobState
from towline.testing import hostile_jobs, jobs
from towline.testing.command_line import tow
from towline.testing.processes import end_workers
from towline.testing.waiting import wait_until

MODES = ["warm", "cold", "pooled"]
#: Long enough for a job that ends by itself, on a machine that is busy with all of these.
TIME_LIMIT_SECONDS = 60


class Hostile:
    """A home in which every hostile job ran."""

    def __init__(self, home: Path, mode: str) -> None:
        self.home = home
        self.mode = mode
        self.child_pid_file = home / "child.pid"
        self.ids: dict[str, tuple[str, str, str]] = {}

    def run(self) -> None:
        for name, action in self.actions().items():
            job = hostile_jobs.do(*action)
            job.name = name
            limit = 4 if action[0] in ("deadlock", "leave threads") else TIME_LIMIT_SECONDS
            towline.set_run_config(job, resources={"execution": self.mode, "time_limit": limit})
            self.ids[name] = tuple(towline.submit_flow(Flow([jobs.add(1, 1), job, jobs.add(2, 2)])))
        towline.Runner().run_all_jobs(max_seconds=200)

    def actions(self) -> dict[str, tuple[object, ...]]:
        return {
            "returns what cannot be stored": ("return unserialisable",),
            "returns a generator": ("return a generator",),
            "returns what contains itself": ("return itself inside",),
            "returns text that is no text": ("return half a letter",),
            "returns nan": ("return not a number",),
            "prints bytes": ("print bytes",),
            "kills itself": ("kill", int(signal.SIGKILL)),
            "terminates itself": ("kill", int(signal.SIGTERM)),
            "exits the interpreter": ("sys.exit", 3),
            "exits the interpreter as if all were well": ("sys.exit", 0),
            "leaves the process": ("os._exit", 4),
            "leaves the process as if all were well": ("os._exit", 0),
            "aborts": ("abort",),
            "breaks the memory": ("segfault",),
            "is interrupted": ("interrupt",),
            "calls itself for ever": ("recurse",),
            "overflows the stack of C": ("overflow the C stack",),
            "takes all memory": ("take all memory",),
            "waits for itself": ("deadlock",),
            "leaves threads": ("leave threads",),
            "leaves a child": ("leave a child", str(self.child_pid_file)),
            "forks itself": ("leave a fork",),
            "changes its folder": ("go elsewhere",),
            "removes its folder": ("remove own folder",),
            "closes every file": ("close everything",),
        }

    def state(self, db_id: str) -> JobState:
        with towline.JobController.from_project_name() as controller:
            return controller.get_job_info(db_id=db_id).state

    def told(self, name: str) -> str:
        """What `tow job info` says about a job, its neighbours being COMPLETED."""
        before, db_id, after = self.ids[name]
        assert self.state(before) is self.state(after) is JobState.COMPLETED
        answer = tow("job", "info", db_id)
        assert answer.code == 0
        return f"{answer.out}{answer.err}"

    def output(self, name: str) -> object:
        with towline.JobController.from_project_name() as controller:
            return controller.get_job_output(db_id=self.ids[name][1])


@pytest.fixture(scope="module", params=MODES)
def hostile(request, tmp_path_factory):
    home = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOWLINE_HOME", str(home))
        patch.setenv("COLUMNS", "200")
        hostile = Hostile(home, request.param)
        try:
            hostile.run()
            yield hostile
        finally:
            end_workers(home)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("returns what cannot be stored", ["output is of type towline.testing.hostile_jobs.Unserialisable", "MSON"]),
        ("returns a generator", ["its output is of type builtins.generator", "return plain values"]),
        ("returns what contains itself", ["is nested too deeply or contains itself"]),
        ("returns text that is no text", ["its output is text that is not valid Unicode"]),
        ("exits the interpreter", ["SystemExit: 3", "hostile_jobs.py"]),
        ("exits the interpreter as if all were well", ["SystemExit: 0", "hostile_jobs.py"]),
        ("calls itself for ever", ["RecursionError", "_fill_the_stack"]),
        ("takes all memory", ["out_of_memory", "MemoryError", "hostile_jobs.py"]),
        ("is interrupted", ["KeyboardInterrupt", "hostile_jobs.py"]),
    ],
)
def test_an_error_of_a_job_is_told_with_its_traceback(hostile, name, expected):
    told = hostile.told(name)
    assert "FAILED" in told
    assert [text for text in expected if text not in told] == [], told
    assert f"tow job rerun {hostile.ids[name][1]}" in told


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kills itself", "ended by signal 9 (SIGKILL)"),
        ("terminates itself", "ended by signal 15 (SIGTERM)"),
        ("leaves the process", "ended with exit code 4 before it had a result"),
        ("leaves the process as if all were well", "ended with exit code 0 before it had a result"),
        ("aborts", "ended by signal 6 (SIGABRT)"),
        ("breaks the memory", "ended by signal 11 (SIGSEGV)"),
        ("overflows the stack of C", "ended by signal 11 (SIGSEGV)"),
        ("waits for itself", "ended at its time limit of 4 seconds; give it more with the resource time_limit"),
    ],
)
def test_a_process_that_ends_without_a_result_is_told_with_how_it_ended(hostile, name, expected):
    told = hostile.told(name)
    assert "FAILED" in told
    assert expected in told
    assert "tow job rerun" in told


@pytest.mark.parametrize("name", ["aborts", "breaks the memory"])
def test_a_job_that_compiled_code_ends_leaves_its_traceback(hostile, name):
    if hostile.mode == "pooled":
        pytest.skip("what jobs of a pool print goes to the log of their worker")
    told = hostile.told(name)
    assert "Fatal Python error" in told
    assert "hostile_jobs.py" in told


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("prints bytes", 70),
        ("leaves a child", "left"),
        ("forks itself", "forked"),
        ("changes its folder", "/"),
    ],
)
def test_what_does_no_harm_is_no_error(hostile, name, output):
    assert "COMPLETED" in hostile.told(name)
    assert hostile.output(name) == output


def test_nan_and_infinity_come_back_as_they_were(hostile):
    assert "COMPLETED" in hostile.told("returns nan")
    nan, *infinite = hostile.output("returns nan")
    assert nan != nan
    assert infinite == [float("inf"), -float("inf")]


def test_a_child_that_a_job_leaves_ends_with_it(hostile):
    hostile.told("leaves a child")
    pid = int(hostile.child_pid_file.read_text())
    if hostile.mode == "pooled":
        # Jobs of a pool have no process of their own that could take its children along; that of the pool does.
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
    wait_until(lambda: not psutil.pid_exists(pid), what="the end of the child")


def test_threads_that_a_job_leaves_end_at_its_time_limit(hostile):
    told = hostile.told("leaves threads")
    if hostile.mode == "pooled":
        assert "COMPLETED" in told  # the process goes on anyway
    else:
        assert "ended at its time limit of 4 seconds" in told


def test_a_job_that_changes_its_folder_still_prints_into_its_own(hostile):
    if hostile.mode == "pooled":
        pytest.skip("jobs of a pool have no folder")
    with towline.JobController.from_project_name() as controller:
        info = controller.get_job_info(db_id=hostile.ids["changes its folder"][1])
    assert (Path(info.run_dir) / "queue.out").read_text() == "from elsewhere\n"


def test_a_job_that_removes_its_folder_is_told_what_is_gone(hostile):
    told = hostile.told("removes its folder")
    if hostile.mode == "pooled":
        return  # jobs of a pool have no folder
    assert "FAILED" in told
    assert "was deleted while it ran" in told
    assert "tow job rerun" in told


def test_a_job_that_closes_every_file_harms_nobody(hostile):
    assert "closes every file" in hostile.told("closes every file")


def test_the_worker_still_works_after_all_of_that(hostile):
    (db_id,) = towline.submit_flow(jobs.add(20, 3), resources={"execution": hostile.mode})
    towline.Runner().run_all_jobs(max_seconds=60)
    assert hostile.state(db_id) is JobState.COMPLETED
