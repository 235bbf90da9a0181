"""A model behind a real HTTP server that speaks OpenAI's protocol, as local servers of models do."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from towline.simulations import registry
from towline.simulations.models.client import ModelClient
from towline.simulations.models.settings import model_settings
from towline.simulations.sentence.model_reader import read_with_model

APPLICATIONS = {name: registry.find(name) for name in ("grain_growth", "spinodal")}
SENTENCE = "copper grains, likewise 450 and 600 kelvins, a population of 120"
PLAN = {
    "physics": "grain_growth",
    "material": "copper",
    "material_quote": "copper",
    "sweep": [{"parameter": "T", "values": [450, 600], "unit": "kelvins", "quote": "450 and 600 kelvins"}],
    "values": [{"parameter": "num_grains", "value": 120, "quote": "a population of 120"}],
}


class Provider(BaseHTTPRequestHandler):
    """Answers every question with the next recorded answer."""

    questions: ClassVar[list[dict[str, object]]] = []
    keys: ClassVar[list[str]] = []
    status: ClassVar[int] = 200
    arguments: ClassVar[str] = json.dumps(PLAN)

    def do_POST(self) -> None:
        """Take a question."""
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.questions.append(question)
        self.keys.append(self.headers["Authorization"])
        name = question["tools"][0]["function"]["name"]
        call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": self.arguments}}
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 1_800_000_000,
            "model": question["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "tool_calls",
                    "message": {"role": "assistant", "content": None, "tool_calls": [call]},
                }
            ],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050},
        }
        content = json.dumps(answer if self.status == 200 else {"error": {"message": "quota exceeded"}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def provider() -> Iterator[str]:
    """The address of a provider on this machine."""
    Provider.questions, Provider.keys, Provider.status, Provider.arguments = [], [], 200, json.dumps(PLAN)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def client(address: str, folder: Path) -> ModelClient:
    """A client as ``config.env`` configures it."""
    keys = {"LLM_PROVIDER": "vllm-here", "LLM_MODEL": "qwen", "LLM_BASE_URL": address, "LLM_API_KEY": "sk-of-nobody"}
    settings = model_settings(lambda name: keys.get(name, ""))
    assert settings is not None
    return ModelClient(settings, folder)


def test_a_server_of_models_is_asked_and_its_answer_checked(provider: str, tmp_path: Path) -> None:
    plan = read_with_model(SENTENCE, APPLICATIONS, client(provider, tmp_path))
    assert plan.sweep == {"T": (450.0, 600.0)}
    assert plan.stated["num_grains"].value == 120
    assert plan.reader == "vllm-here:qwen"
    (call,) = plan.model_calls
    assert (call.input_tokens, call.output_tokens) == (1000, 50)
    assert Provider.keys == ["Bearer sk-of-nobody"]
    assert (
        Provider.questions[0][
            "max_completion_tokens" if "max_completion_tokens" in Provider.questions[0] else "max_tokens"
        ]
        == 1500
    )
    kept = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert b"sk-of-nobody" not in kept


@pytest.mark.parametrize(("status", "arguments"), [(400, ""), (401, ""), (200, "{not json"), (200, '{"physics": "x"}')])
def test_a_server_that_fails_leaves_the_rules(provider: str, tmp_path: Path, status: int, arguments: str) -> None:
    Provider.status, Provider.arguments = status, arguments
    plan = read_with_model(SENTENCE, APPLICATIONS, client(provider, tmp_path))
    assert plan.reader == "rules"
    assert plan.sweep == {"T": (450.0, 600.0)}
    assert plan.model_calls[0].error
    assert "sk-of-nobody" not in plan.model_calls[0].error


def test_the_command_line_asks_the_configured_server_and_records_its_answer(provider: str, tmp_path: Path) -> None:
    keys = [f"LLM_BASE_URL={provider}", "LLM_PROVIDER=here", "LLM_MODEL=qwen", "LLM_API_KEY=sk-of-nobody"]
    words = ["simulate", SENTENCE, "--dry-run", "--json", "--env", f"RUNS_DIR={tmp_path / 'runs'}"]
    words += [word for key in keys for word in ("--env", key)]
    command = [sys.executable, "-m", "towline.interfaces.cli.main", *words]
    environment = {**os.environ, "TOWLINE_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["sentence"]["reader"] == "here:qwen"
    assert [one["values"]["T"]["value"] for one in told["members"]] == [450, 600]
    assert len(Provider.questions) == 1
    (record,) = (tmp_path / "runs" / "model_calls" / "calls.jsonl").read_text().splitlines()
    assert json.loads(record)["input_tokens"] == 1000
    assert "sk-of-nobody" not in record + done.stdout + done.stderr
