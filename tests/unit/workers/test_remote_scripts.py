"""The shell text of remote workers, run by the shell of this machine."""

import subprocess
import time
from pathlib import Path

import orjson
import pytest

from towline.core.records import ShellSetup
from towline.core.run_folder import EXIT_FILE, STARTED_FILE
from towline.errors import InvalidRequest
from towline.testing.payloads import package
from towline.testing.waiting import wait_until
from towline.testing.worker_driver import assignment
from towline.workers.remote import job_scripts
from towline.workers.remote.cancelling import claims_script
from towline.workers.remote.evidence import Question, evidence_script, read_evidence
from towline.workers.remote.folders import Site, prepare
from towline.workers.remote.shell_queue import ShellQueue
from towline.workers.schedulers.pbs import Pbs
from towline.workers.schedulers.scheduler import Outcome, QueuedJob, QueueState, Submission
from towline.workers.transports.transport import Content


def bash(text: str, folder: Path) -> bytes:
    done = subprocess.run(["bash", "-s"], input=text.encode(), cwd=folder, capture_output=True, timeout=30, check=False)
    return done.stdout


def folder_with(path: Path, script: str, *, limit: str = "") -> Path:
    path.mkdir(parents=True)
    (path / "submit.sh").write_text(script)
    (path / ShellQueue.extra_file).write_text(f"{limit}\nqueue.out\nqueue.err\n")
    return path


def test_a_keeper_runs_a_job_once_and_records_its_end(tmp_path: Path) -> None:
    run_dir = folder_with(tmp_path / "a 'b' $(touch injected)\nc", "echo ran >>trace; exit 3\n")
    queue = ShellQueue(0.1)
    submission = Submission(str(run_dir), "tow0.1.1")
    came = [queue.read_submissions(_submit(queue, submission, tmp_path), [submission])[0].outcome for _ in range(2)]
    assert came[0] is Outcome.SUBMITTED
    wait_until((run_dir / EXIT_FILE).exists)
    again = queue.read_submissions(_submit(queue, submission, tmp_path), [submission])[0]
    assert again.outcome is Outcome.RECORDED
    assert again.queue_id is not None
    record = orjson.loads((run_dir / EXIT_FILE).read_bytes())
    assert (record["exit_code"], record["reason"]) == (3, "exited")
    assert record["started_at"] <= record["ended_at"] <= time.time()
    assert (run_dir / "trace").read_text() == "ran\n"
    assert not list(tmp_path.rglob("injected"))


def _submit(queue: ShellQueue, submission: Submission, folder: Path) -> str:
    return bash(queue.submit_command([submission]), folder).decode()


def test_a_keeper_is_seen_and_ends_its_job_when_it_is_told(tmp_path: Path) -> None:
    run_dir = folder_with(tmp_path / "job", "trap '' TERM; sleep 100\n")
    queue = ShellQueue(0.1)
    submission = Submission(str(run_dir), "tow1.1.1")
    _submit(queue, submission, tmp_path)
    wait_until((run_dir / "towline_queue_id").exists)
    job = QueuedJob((run_dir / "towline_queue_id").read_text().split()[0], submission.mark)
    answer = queue.read_status(bash(queue.status_command([job]), tmp_path).decode(), [job])
    assert answer.statuses[job.queue_id].state is QueueState.RUNNING
    assert queue.read_cancellation(bash(queue.cancel_command([job.queue_id]), tmp_path).decode()) is None
    wait_until((run_dir / EXIT_FILE).exists)
    assert orjson.loads((run_dir / EXIT_FILE).read_bytes())["reason"] == "cancelled"
    wait_until(lambda: _missing(queue, job, tmp_path), 10, "the end of the keeper")


def _missing(queue: ShellQueue, job: QueuedJob, folder: Path) -> bool:
    answer = queue.read_accounting(bash(queue.accounting_command([job]), folder).decode(), [job])
    return answer.missing == (job.queue_id,)


def test_a_look_that_was_cut_off_says_nothing_of_any_job() -> None:
    job = QueuedJob("1.2@h", "tow1.1.1")
    answer = ShellQueue().read_status("@towline@ shell 1.2@h gone\n", [job])
    assert answer.missing == ()
    assert answer.problem is not None


def test_what_was_claimed_for_nobody_never_starts(tmp_path: Path) -> None:
    run_dir = folder_with(tmp_path / "job", "touch ran\n")
    other = tmp_path / "never 'sent' $(touch injected)"
    bash(claims_script([str(run_dir), str(other)]), tmp_path)
    queue = ShellQueue()
    _submit(queue, Submission(str(run_dir), "tow2.1.1"), tmp_path)
    questions = [Question("1", str(run_dir)), Question("2", str(other))]
    found = read_evidence(bash(evidence_script(questions, "mark"), tmp_path), questions, "mark")
    assert found is not None
    assert found["1"].never
    assert found["2"].never
    assert not (run_dir / "ran").exists()


def test_evidence_of_many_folders_comes_at_once(tmp_path: Path) -> None:
    names = ["plain", "with space", "new\nline", "-rf", "ünïcödé", "$(touch injected)"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / STARTED_FILE).write_bytes(orjson.dumps({"pid": 1, "at": 5.0}))
    (tmp_path / "plain" / EXIT_FILE).write_text("{}")
    (tmp_path / "plain" / "queue.err").write_text("x" * 5000 + "end")
    questions = [Question(name, str(tmp_path / name)) for name in [*names, "not there"]]
    found = read_evidence(bash(evidence_script(questions, "mark"), tmp_path), questions, "mark")
    assert found is not None
    assert {name for name in names if found[name].started_at == 5.0} == set(names)
    assert not found["not there"].tried
    assert found["plain"].error_tail.endswith("end")
    assert len(found["plain"].error_tail) == job_scripts.TAIL_BYTES
    assert read_evidence(b"cut off", questions, "mark") is None


def test_declared_outputs_are_listed_after_a_success_only(tmp_path: Path) -> None:
    for name in ("a b.txt", "deep/c.txt", "own[1].txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("12345")
    lines = job_scripts.output_lines(str(tmp_path), ["*.txt", "**/c.txt", "own[1].txt", "none*"], [0, 2])
    for code, expected in ((1, 0), (2, 4)):
        bash("\n".join([f"towline_exit_code={code}", *lines]), tmp_path)
        listing = tmp_path / job_scripts.OUTPUTS_FILE
        assert len(listing.read_text().splitlines() if listing.exists() else []) == expected


@pytest.mark.parametrize("scheduler", [ShellQueue(), Pbs()])
def test_the_run_folder_has_what_the_job_needs(tmp_path: Path, scheduler: ShellQueue | Pbs) -> None:
    site = Site("far", str(tmp_path), scheduler, "python3")
    job = assignment(tmp_path, 1, ["return", 1], shell=ShellSetup(pre_run=("module load x",), post_run=("echo bye",)))
    prepared = prepare(job, site)
    assert prepared.tree.path == f"{job.uuid[:2]}/{job.uuid}_1"
    assert isinstance(prepared.tree.content, dict)
    script = prepared.tree.content["submit.sh"]
    assert isinstance(script, Content)
    text = script.data.decode()
    assert f"python3 -P -m towline.on_worker.run_job {job.run_dir} --claimed" in text
    assert text.index("module load x") < text.index("run_job")
    assert prepared.submission.mark.endswith(".1.1")
    if isinstance(scheduler, Pbs):
        assert "exec >>queue.out 2>>queue.err" in text
        assert EXIT_FILE in text


def test_a_function_is_no_array(tmp_path: Path) -> None:
    job = assignment(tmp_path, 1, ["return", 1], resources={"array": "1-4%2"})
    with pytest.raises(InvalidRequest, match="array=1-4%2 would run one function many times"):
        prepare(job, Site("far", str(tmp_path), Pbs(), "python3"))


@pytest.mark.parametrize(
    ("text", "tasks"), [("1-4", 4), ("1-4%2", 4), ("0-90:10", 10), ("1,3,5-7", 5), ("7", 1), ("1-4:9", 1)]
)
def test_tasks_of_an_array_are_counted(text: str, tasks: int) -> None:
    assert job_scripts.array_tasks(text) == tasks


@pytest.mark.parametrize("text", ["", "4-1", "1-4:0", "a", "1-", "1-4;rm", "%2"])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="write it as 1-9"):
        job_scripts.array_tasks(text)


def test_the_task_that_ends_last_speaks_for_all(tmp_path: Path) -> None:
    lines = job_scripts.array_lines(str(tmp_path), 3, ['echo "$towline_exit_code $towline_began" >all'])
    for task, code, began in (("3", 0, "7.5"), ("1", 4, "9.5"), ("10", 2, "8.5")):
        assert not (tmp_path / "all").exists()
        start = [f"SLURM_ARRAY_TASK_ID={task} towline_exit_code={code} towline_began={began}"]
        assert bash("\n".join([*start, *lines, "echo $towline_exit_code"]), tmp_path) == f"{code}\n".encode()
    assert (tmp_path / "all").read_text() == "4 7.5\n"


@pytest.mark.parametrize(("scheduler", "limited"), [(ShellQueue(), True), (Pbs(), False)])
def test_a_scheduler_sees_to_the_memory_itself(tmp_path: Path, scheduler: ShellQueue | Pbs, limited: bool) -> None:
    site = Site("far", str(tmp_path), scheduler, "python3")
    content = package(["return", 1], prelude={"memory_bytes": 1 << 30})
    tree = prepare(assignment(tmp_path, 1, content=content), site).tree
    assert isinstance(tree.content, dict)
    sent = tree.content["towline_job.jsonl"]
    assert isinstance(sent, bytes)
    assert (b"memory_bytes" in sent) is limited
    assert sent.split(b"\n")[1:] == content.split(b"\n")[1:]
