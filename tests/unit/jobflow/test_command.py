"""Commands as jobs: what is stored of them, and what they do under `jobflow.run_locally`."""

import hashlib
import sys
import warnings
from pathlib import Path
from typing import Any

import orjson
import pytest
from jobflow import Flow, Job, JobStore, OnMissing, OutputReference, run_locally
from maggma.stores import MemoryStore

from towline.core.output_references import is_reference
from towline.errors import InvalidFlow
from towline.jobflow.command import command
from towline.jobflow.convert import flow_to_records
from towline.testing.jobs import add


def payload_of(job: Job) -> Any:
    (new,) = flow_to_records(job, allow_external_references=True).jobs
    assert new.payload_kind == "command"
    return orjson.loads(new.payload)


def outputs_of(flow: Flow, folder: Path) -> dict[str, Any]:
    store = JobStore(MemoryStore())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jobflow warns of jobs that are not connected, and uses what is deprecated
        run_locally(flow, store=store, log=False, root_dir=folder)
    return {document["uuid"]: document["output"] for document in store.query()}


def test_the_payload_of_a_program() -> None:
    first = add(1, 2)
    job = command(
        ["sh", Path("/tools/run me.sh"), 3, 0.5, first.output],
        inputs={"in/a.txt": "text\n", "b.bin": b"\x00", "c": Path("/data/c"), "d": first.output["path"]},
        outputs=["*.csv", "deep/**/*.dat"],
        environment={"N": 2, "X": first.output},
        success_exit_codes=(0, 2),
        metadata={"a": 1},
    )
    assert (job.name, job.metadata) == ("sh", {"a": 1})
    payload = payload_of(job)
    assert payload["argv"][:4] == ["sh", "/tools/run me.sh", "3", "0.5"]
    assert all(
        is_reference(found) for found in (payload["argv"][4], payload["inputs"]["d"], payload["environment"]["X"])
    )
    assert payload["inputs"]["d"]["attributes"] == [["i", "path"]]
    assert payload["inputs"]["in/a.txt"] == "text\n"
    assert payload["inputs"]["b.bin"] == {"base64": "AA=="}
    assert payload["inputs"]["c"] == {"path": "/data/c"}
    assert payload["outputs"] == ["*.csv", "deep/**/*.dat"]
    assert payload["success_exit_codes"] == [0, 2]
    assert set(payload) == {"argv", "inputs", "outputs", "environment", "success_exit_codes"}


def test_references_of_a_command_are_its_parents() -> None:
    first, second = add(1, 2), add(3, 4)
    job = command(["echo", first.output], environment={"X": second.output})
    (new,) = [new for new in flow_to_records(Flow([first, second, job])).jobs if new.payload_kind == "command"]
    assert set(new.parents) == set(new.references) == {first.uuid, second.uuid}


def test_the_payload_of_a_shell_text() -> None:
    payload = payload_of(command("echo a | cat > 'b c'", outputs="b c", name="mine"))
    assert payload["shell"] == "echo a | cat > 'b c'"
    assert payload["outputs"] == ["b c"]
    assert "argv" not in payload


def test_a_command_runs_under_run_locally(tmp_path: Path) -> None:
    number = add(1, 2)
    first = command(
        "cat a.txt > out.csv; printf '%s' \"$N\" >> out.csv; echo said; echo warned >&2; exit 3",
        inputs={"a.txt": "x,y\n"},
        outputs=["*.csv"],
        environment={"N": number.output},
        success_exit_codes=[3],
    )
    second = command(
        [
            sys.executable,
            "-c",
            "import sys; print(open('copy.csv').read(), sys.argv[1:])",
            first.output["exit_code"],
            "$(no)",
        ],
        inputs={"copy.csv": first.output["files"]["out.csv"], "data.json": first.output["files"]},
    )
    outputs = outputs_of(Flow([number, first, second]), tmp_path)
    content = b"x,y\n3"
    assert outputs[first.uuid] == {
        "exit_code": 3,
        "signal": None,
        "files": {
            "out.csv": {
                "path": str(tmp_path / "out.csv"),
                "size_bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        },
        "stdout_tail": "said\n",
        "stderr_tail": "warned\n",
        "run_dir": str(tmp_path),
    }
    assert outputs[second.uuid]["stdout_tail"] == "x,y\n3 ['3', '$(no)']\n"
    assert orjson.loads((tmp_path / "data.json").read_bytes()) == outputs[first.uuid]["files"]


def test_input_files_are_made_as_told(tmp_path: Path) -> None:
    (tmp_path / "given").write_bytes(b"\xff")
    job = command(
        ["./run.sh"],
        inputs={"run.sh": "#!/bin/sh\nls -R >list\n", "deep/er/b": b"\x00\x01", "c d": tmp_path / "given"},
        outputs=["list"],
    )
    work = tmp_path / "work"
    outputs = outputs_of(Flow([job]), work)
    assert outputs[job.uuid]["files"]["list"]["size_bytes"] > 0
    assert (work / "deep/er/b").read_bytes() == b"\x00\x01"
    assert (work / "c d").read_bytes() == b"\xff"


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (lambda: command("echo no >&2; exit 4"), "ended with exit code 4: no"),
        (lambda: command(["no-such-program"]), "no-such-program cannot be started"),
        (lambda: command("kill -9 $$"), "ended with signal 9"),
        (lambda: command("true", outputs=["*.csv"]), "no file matches the declared output '*.csv'"),
    ],
)
def test_a_command_that_fails_raises(job: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = job()
    with pytest.raises(Exception, match=words.replace("*", r"\*")):
        made.function(**made.function_kwargs)


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "", "a\0b"])
def test_files_outside_the_folder_are_refused(name: str) -> None:
    with pytest.raises(InvalidFlow, match="inside the folder"):
        command("true", inputs={name: "x"})
    with pytest.raises(InvalidFlow, match="inside the folder"):
        command("true", outputs=[name])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"command": ""}, "is empty"),
        ({"command": []}, "is empty"),
        ({"command": [["nested"]]}, "cannot be an argument"),
        ({"command": ["a", True]}, "cannot be an argument"),
        ({"command": "a\0b"}, "null character"),
        ({"command": "true", "inputs": {"a": 3}}, "content of input 'a' is a int"),
        ({"command": "true", "environment": {"A=B": "x"}}, "no name of an environment variable"),
        ({"command": f"echo {OutputReference('u')}"}, "has the output of a job inside a text"),
        ({"command": ["a", f"--n={OutputReference('u')}"]}, "give the output as an argument of its own"),
    ],
)
def test_impossible_commands_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidFlow, match=words):
        command(**arguments)


def test_settings_that_only_python_jobs_have_are_refused() -> None:
    job = command("true")
    job.config.on_missing_references = OnMissing.PASS
    with pytest.raises(InvalidFlow, match="only Python jobs have"):
        flow_to_records(job)
