"""Commands as jobs on a local worker."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from towline.core.records import Assignment, ShellSetup, pack_job, unpack_result
from towline.core.run_folder import RESULT_FILE
from towline.testing.worker_contract import HOSTILE_NAMES
from towline.testing.worker_driver import WorkerDriver, assignment, output_of, result_of

MakeCommand = Callable[..., Assignment]


def reference(uuid: str, *attributes: object) -> dict[str, Any]:
    """A reference to the output of another job, as jobflow writes it."""
    steps = [["i", attribute] for attribute in attributes]
    return {"@module": "jobflow.core.reference", "@class": "OutputReference", "uuid": uuid, "attributes": steps}


@pytest.fixture
def make_command(tmp_path: Path) -> MakeCommand:
    """A function that makes command jobs."""

    def make(
        number: int = 1, outputs_of_parents: dict[str, Any] | None = None, details: Any = None, **payload: Any
    ) -> Assignment:
        header = {"db_id": str(number), "uuid": f"uuid {number}", "index": 1, "name": "a command"}
        header |= {"payload_kind": "command", "metadata": {"series": 3}, "hosts": ["flow"]}
        parents = [(uuid, 1, orjson.dumps(output)) for uuid, output in (outputs_of_parents or {}).items()]
        content = pack_job(header, orjson.dumps(payload), parents)
        return assignment(tmp_path / "work", number, content=content, kind="command", **(details or {}))

    return make


def test_the_output_of_a_command_is_a_document_for_the_job_store(
    local: WorkerDriver, make_command: MakeCommand
) -> None:
    job = make_command(argv=["/bin/sh", "-c", "echo out; echo err >&2; printf data > result.csv"], outputs=["*.csv"])
    (end,) = local.run(job)
    document = orjson.loads(unpack_result(Path(job.run_dir, RESULT_FILE).read_bytes()).output or b"")
    assert document["uuid"] == "uuid 1"
    assert document["metadata"] == {"series": 3, "db_id": "1"}
    assert document["hosts"] == ["flow"]
    assert document["@class"] == "JobStoreDocument"
    output = output_of(job, end)
    assert (output["exit_code"], output["signal"], output["run_dir"]) == (0, None, job.run_dir)
    assert (output["stdout_tail"], output["stderr_tail"]) == ("out\n", "err\n")
    path = Path(job.run_dir, "result.csv")
    digest = hashlib.sha256(b"data").hexdigest()
    assert output["files"] == {"result.csv": {"path": str(path), "size_bytes": 4, "sha256": digest}}
    assert end.exit is not None
    assert end.exit.peak_memory_bytes


def test_only_the_end_of_long_output_is_in_the_document(local: WorkerDriver, make_command: MakeCommand) -> None:
    job = make_command(shell="seq 100000")
    (end,) = local.run(job)
    tail = output_of(job, end)["stdout_tail"]
    assert tail.endswith("99999\n100000\n")
    assert len(tail) == 4096


@pytest.mark.parametrize(
    ("payload", "reason", "message"),
    [
        ({"shell": "echo no licence >&2; exit 4"}, "exit_code", "exit code 4"),
        ({"shell": "kill -11 $$"}, "signal", "SIGSEGV"),
        ({"shell": "true", "outputs": ["*.nc"]}, "output", "*.nc"),
        ({"argv": ["no-such-program-anywhere"]}, None, None),
        ({"argv": [{"@class": "OutputReference", "uuid": "missing", "attributes": []}]}, "error", "missing"),
    ],
)
def test_why_a_command_failed_is_kept(
    local: WorkerDriver, make_command: MakeCommand, payload: dict[str, Any], reason: str | None, message: str | None
) -> None:
    job = make_command(**payload)
    (end,) = local.run(job)
    if reason is None:
        assert end.exit is not None
        assert end.exit.reason == "not_started"
        assert "no-such-program-anywhere" in (end.exit.message or "")
        return
    failure = result_of(job, end).failure
    assert failure is not None
    assert failure.reason == reason
    assert message is not None
    assert message in failure.message
    if reason == "exit_code":
        assert failure.details == "no licence\n"


def test_other_exit_codes_may_mean_success(local: WorkerDriver, make_command: MakeCommand) -> None:
    job = make_command(shell="exit 2", success_exit_codes=[0, 2])
    (end,) = local.run(job)
    assert output_of(job, end)["exit_code"] == 2


def test_inputs_and_outputs_of_parents_reach_the_command(
    local: WorkerDriver, make_command: MakeCommand, tmp_path: Path
) -> None:
    (tmp_path / "source").write_bytes(b"\0binary")
    parent = {"energy": -1.5, "path": str(tmp_path / "source"), "cell": [[1, 0], [0, 1]], "name": "Cu; rm *"}
    job = make_command(
        outputs_of_parents={"p": parent, "replaced": reference("p", "energy")},
        argv=[
            "/bin/sh",
            "-c",
            'printf "%s|%s|%s" "$1" "$2" "$VALUE"',
            "sh",
            reference("p", "name"),
            reference("replaced"),
        ],
        environment={"VALUE": reference("p", "cell")},
        inputs={
            "deep/er/text": "text",
            "bytes": {"base64": base64.b64encode(b"\xff").decode()},
            "copy": {"path": str(tmp_path / "source")},
            "copy of a parent's": {"path": reference("p", "path")},
            "cell.json": reference("p", "cell"),
            "run.sh": "#!/bin/sh\n",
        },
        outputs=["*", "deep/**"],
    )
    (end,) = local.run(job)
    output = output_of(job, end)
    assert output["stdout_tail"] == "Cu; rm *|-1.5|[[1,0],[0,1]]"
    folder = Path(job.run_dir)
    assert (folder / "deep/er/text").read_text() == "text"
    assert (folder / "bytes").read_bytes() == b"\xff"
    assert (folder / "copy").read_bytes() == (folder / "copy of a parent's").read_bytes() == b"\0binary"
    assert (folder / "cell.json").read_text() == "[[1,0],[0,1]]"
    assert (folder / "run.sh").stat().st_mode & 0o100
    names = {"bytes", "copy", "copy of a parent's", "cell.json", "run.sh", "deep/er/text"}
    assert set(output["files"]) == names


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside", "", "towline_job.jsonl", "queue.out"])
def test_a_name_that_leads_out_of_the_folder_is_refused_for_good(
    local: WorkerDriver, make_command: MakeCommand, tmp_path: Path, name: str
) -> None:
    job = make_command(shell="true", inputs={name: "text"})
    local.hand_over(job)
    refused = local.wait_for(job.key, "step_failed")
    assert not refused.may_retry
    assert not (tmp_path / "work" / "outside").exists()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("shell", [None, ShellSetup(pre_run=(":",))])
def test_hostile_names_and_arguments_are_only_text(
    local: WorkerDriver, make_command: MakeCommand, tmp_path: Path, name: str, shell: ShellSetup | None
) -> None:
    details = {"folder": f"x/{name}", "shell": shell}
    job = make_command(
        argv=["cat", "--", name], inputs={name: name}, outputs=["*"], environment={"NAME": name}, details=details
    )
    (end,) = local.run(job)
    output = output_of(job, end)
    assert output["stdout_tail"] == name
    assert name in output["files"]
    assert not list(tmp_path.rglob("injected"))


def test_a_missing_source_of_an_input_fails_the_upload(
    local: WorkerDriver, make_command: MakeCommand, tmp_path: Path
) -> None:
    job = make_command(shell="true", inputs={"x": {"path": str(tmp_path / "missing")}})
    local.hand_over(job)
    failed = local.wait_for(job.key, "step_failed")
    assert failed.failure is not None
    assert str(tmp_path / "missing") in failed.failure.message


def test_shell_lines_surround_a_command(local: WorkerDriver, make_command: MakeCommand) -> None:
    shell = ShellSetup(pre_run=("export FROM_PRE=1",), export={"EXPORTED": "2"}, post_run=("touch after",))
    job = make_command(
        shell='echo "$FROM_PRE $EXPORTED $OWN"; exit 3',
        environment={"OWN": "it's"},
        success_exit_codes=[3],
        details={"shell": shell},
    )
    (end,) = local.run(job)
    output = output_of(job, end)
    assert (output["stdout_tail"], output["exit_code"]) == ("1 2 it's\n", 3)
    assert Path(job.run_dir, "after").exists()


def test_a_command_is_ended_at_its_time_limit_and_says_so(local: WorkerDriver, make_command: MakeCommand) -> None:
    job = make_command(shell="sleep 300 & wait", details={"resources": {"time_limit": 0.2}})
    (end,) = local.run(job)
    failure = result_of(job, end).failure
    assert failure is not None
    assert failure.reason == "timeout"


def test_a_program_starts_with_the_signals_of_the_system(local: WorkerDriver, make_command: MakeCommand) -> None:
    # Python ignores SIGPIPE; `yes` would complain about a closed pipe instead of ending silently.
    job = make_command(argv=["bash", "-c", "yes | head -n 1; echo ${PIPESTATUS[0]}"])
    (end,) = local.run(job)
    assert output_of(job, end)["stdout_tail"] == "y\n141\n"
