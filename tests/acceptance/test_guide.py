"""What README and guide show is done for real, and their tables of keys are those of the model.

Comments of HTML, which readers do not see, say what to do with a page. Each page has one folder, which is also the
home of its user, and its commands are carried out in the order in which they stand there:

``<!-- run -->``
    The block below is run: as a Python script when its language is ``python``, else by bash, which ends at the first
    command that fails. ``<!-- run 3 -->`` expects exit code 3.
``<!-- file NAME -->``
    The block below is written to this file.
``<!-- prints -->``
    The block below is what the last command printed; ``...`` stands for any text.
``<!-- run``, lines of shell, ``-->``
    The lines are run: what a reader does not need to see, such as a check of what came out.
``<!-- keys CLASS -->`` and ``<!-- end of keys -->``
    Between them stands the table of the keys of a class of the configuration. After a change of the model, ``python
    tests/acceptance/test_guide.py`` writes the tables and the JSON schema anew.
"""

import ast
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from towline.configuration import model
from towline.configuration.schema import field_texts, field_types, project_json_schema
from towline.testing.waiting import wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
GUIDE = CHECKOUT / "docs" / "guide"
REFERENCE, SCHEMA = GUIDE / "configuration.md", GUIDE / "project.schema.json"
PAGES = [CHECKOUT / "README.md", *sorted(GUIDE.glob("*.md")), *sorted((CHECKOUT / "docs" / "extend").glob("*.md"))]

_COMMENT = re.compile(r"<!-- *(.*?)\s*-->", re.DOTALL)
_BLOCK = re.compile(r"\n+```(?P<language>\w*)\n(?P<text>.*?)```\n", re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)```$", re.DOTALL | re.MULTILINE)
_KEYS = re.compile(r"<!-- keys (?P<name>\w+) -->\n(?P<table>.*?)<!-- end of keys -->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a page tells to do."""

    place: str
    #: run, file or prints.
    word: str
    #: Name of the file, or exit code.
    detail: str
    language: str
    text: str


def steps_of(page: Path) -> list[Step]:
    """What is to be done with a page, in its order."""
    content = page.read_text()
    steps = []
    for comment in _COMMENT.finditer(content):
        place = f"{page.name}:{content.count(chr(10), 0, comment.start()) + 1}"
        instruction, _, hidden = comment[1].partition("\n")
        word, _, detail = instruction.strip().partition(" ")
        if word in ("keys", "end"):
            continue
        assert word in ("run", "file", "prints"), f"{place}: nobody knows what {comment[0]!r} means"
        if hidden:
            steps.append(Step(place, word, detail, "sh", hidden))
            continue
        block = _BLOCK.match(content, comment.end())
        assert block is not None, f"{place}: no block follows"
        steps.append(Step(place, word, detail, block["language"], block["text"]))
    return steps


@dataclass(slots=True)
class Reader:
    """Somebody who does what a page says."""

    folder: Path
    printed: str = ""
    scripts: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOWLINE_", "PYTHON"))}
        home = {"HOME": str(self.folder), "TOWLINE_HOME": str(self.folder / ".towline")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**kept, **home, "PATH": path, "COLUMNS": "160"}

    def follow(self, step: Step) -> None:
        """Do what a step says, and see that it comes out as the page says."""
        if step.word == "file":
            path = self.folder / step.detail
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text)
        elif step.word == "prints":
            assert _pattern(step.text).fullmatch(self.printed.strip()), f"{step.place}: printed was\n{self.printed}"
        else:
            self._run(step)

    def _run(self, step: Step) -> None:
        command = ["bash", "-euo", "pipefail", "-c", step.text]
        if step.language == "python":
            self.scripts += 1
            script = self.folder / f"script_{self.scripts}.py"
            script.write_text(step.text)
            command = [sys.executable, "-W", "error", str(script)]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self.printed = done.stdout
        assert done.returncode == int(step.detail or 0), f"{step.place}: exit code {done.returncode}\n{done.stdout}"

    def leave(self) -> None:
        """End every process that outlives a command: supervisors, which end their runners, then keepers and pilots."""
        for name, number in (
            ("supervisor.pid", signal.SIGTERM),
            ("keeper.lock", signal.SIGKILL),
            ("pilot.lock", signal.SIGKILL),
        ):
            for file in self.folder.rglob(name):
                _end(int(file.read_text() or 0), number, str(file.parent))


def _end(pid: int, number: signal.Signals, about: str) -> None:
    """End a process, if it is still the one that has `about` in its command line."""
    try:
        process = psutil.Process(pid)
        if about not in " ".join(process.cmdline()):
            return
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
    wait_until(lambda: not psutil.pid_exists(pid) or process.status() == psutil.STATUS_ZOMBIE, what=f"the end of {pid}")


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text.strip()).replace(r"\.\.\.", ".*?"), re.DOTALL)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a folder of its own."""
    reader = Reader(tmp_path)
    yield reader
    reader.leave()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_tells_to_do_works(page: Path, reader: Reader) -> None:
    for step in steps_of(page):
        reader.follow(step)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_in_a_page_is_python(page: Path) -> None:
    for block in _PYTHON.findall(page.read_text()):
        ast.parse(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    broken = []
    for name, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text()):
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{name}#{anchor}")
    assert broken == []


def anchors(page: Path) -> set[str]:
    """What links to the headings of a page end with."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_class_of_the_configuration_has_its_table_of_keys() -> None:
    page = REFERENCE
    tables = {found["name"]: found["table"] for found in _KEYS.finditer(page.read_text())}
    wanted = {kind.__name__: key_table(kind) for kind in CLASSES}
    assert tables == wanted, f"to write the tables anew, type: python {Path(__file__).relative_to(CHECKOUT)}"


def test_the_schema_of_project_files_is_that_of_the_model() -> None:
    assert SCHEMA.read_text() == schema_text(), f"to write it anew, type: python {Path(__file__).relative_to(CHECKOUT)}"


def test_the_schema_admits_what_towline_reads_and_refuses_what_it_refuses() -> None:
    schema = json.loads(SCHEMA.read_text())
    valid = {"name": "lab", "workers": {"local": {"max_jobs": 0}}, "runner": {"delta_retry": [1, 2]}}
    jsonschema.validate(valid, schema)
    wrong: tuple[dict[str, Any], ...] = (
        {},
        {"name": "lab", "worker": {}},
        {"name": "lab", "workers": {"local": {"max_jobs": -1}}},
        {"name": "lab", "runner": {"delay_checkout": 0}},
        {"name": "a b"},
    )
    for document in wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, schema)


CLASSES = (
    model.Project,
    model.BatchConfig,
    model.WorkerConfig,
    model.GatewayConfig,
    model.ExecutionConfig,
    model.HookConfig,
    model.QueueConfig,
    model.QueueStore,
    model.RunnerOptions,
)


def key_table(kind: Any) -> str:
    """The keys of a class of the configuration, with defaults and meanings, as a table."""
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    texts, types = field_texts(kind), field_types(kind)
    for item in fields(kind):
        if item.init:
            cells = [f"`{item.name}`", types[item.name], _default(item), texts[item.name]]
            rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def schema_text() -> str:
    """The JSON schema of project files."""
    return json.dumps(project_json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _default(item: Any) -> str:
    if item.default is not MISSING:
        return f"`{_shown(item.default)}`"
    # What a file may leave out although the class asks for it: its meaning says what it is then.
    return "`{}`" if item.default_factory is not MISSING else "required" if item.name == "name" else ""


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, list | tuple) else str(value)


def _write_tables() -> None:
    page = REFERENCE
    SCHEMA.write_text(schema_text())
    tables = {kind.__name__: key_table(kind) for kind in CLASSES}
    text = _KEYS.sub(
        lambda found: f"<!-- keys {found['name']} -->\n{tables[found['name']]}<!-- end of keys -->", page.read_text()
    )
    page.write_text(text)


if __name__ == "__main__":
    _write_tables()
