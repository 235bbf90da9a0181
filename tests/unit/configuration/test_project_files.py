import json
from pathlib import Path

import pytest

from towline.configuration.defaults import default_project
from towline.configuration.files import project_stamp, read_project, scan
from towline.configuration.model import Project
from towline.configuration.schema import project_json_schema
from towline.configuration.templates import project_text
from towline.errors import ProjectUnreadable


def read(home: Path, text: str, ending: str = "yaml") -> Project:
    path = home / f"project.{ending}"
    path.write_text(text)
    return read_project(path)


def problem(home: Path, text: str, ending: str = "yaml") -> str:
    with pytest.raises(ProjectUnreadable) as caught:
        read(home, text, ending)
    return str(caught.value)


def test_a_file_with_only_a_name_is_like_the_built_in_project(home: Path) -> None:
    assert read(home, "name: a\n") == default_project(home, "a")


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("file_format", ["yaml", "toml", "json"])
def test_generated_files_are_valid_and_change_no_default(home: Path, file_format: str, *, full: bool) -> None:
    project = read(home, project_text("a", file_format, home, full=full), file_format)
    plain = default_project(home, "a")
    assert project.workers == plain.workers
    assert project.runner == plain.runner
    assert project.queue == plain.queue
    assert project.base_dir == plain.base_dir


def test_the_full_file_has_every_key_with_its_meaning(home: Path) -> None:
    text = project_text("a", "yaml", home, full=True)
    schema = project_json_schema()
    # A project without hooks, gateways and batch workers shows none of their keys.
    parts = [schema, *(part for name, part in schema["$defs"].items() if name not in ("HookConfig", "BatchConfig"))]
    for part in parts:
        for key in part["properties"]:
            assert f"{key}:" in text or key == "JOB_STORE"
    assert "# Seconds to wait before each further try" in text


def test_the_json_schema_asks_for_the_name_only() -> None:
    schema = project_json_schema()
    assert schema["required"] == ["name"]
    assert not any(part.get("required") for part in schema["$defs"].values())
    assert schema["additionalProperties"] is False
    for part in (schema, *schema["$defs"].values()):
        assert all("description" in told for key, told in part["properties"].items() if key != "JOB_STORE")
    assert schema["$defs"]["RunnerOptions"]["properties"]["delay_checkout"]["minimum"] == 0.01


def test_every_value_of_the_reference_is_read(home: Path) -> None:
    text = """
name: a
base_dir: /data/a
tmp_dir: /data/tmp
log_level: debug
runner: {delay_checkout: 0.5, max_step_attempts: 0, delta_retry: [1, 2.5], lock_timeout: null}
workers:
  first:
    type: local
    scheduler_type: shell
    work_dir: /data/first
    resources: {time_limit: 60}
    pre_run: source /etc/profile
    timeout_execute: 5
    max_jobs: 0
    scheduler_username: anna
    sanitize_command: true
    delay_download: 3
    execution: pooled
    preload: [numpy, ase.calculators.emt]
  second: {}
queue: {store: {url: "sqlite:////data/q.db"}, db_id_prefix: x-}
exec_config:
  with spaces: {modules: [vasp], export: {OMP_NUM_THREADS: 1, NAME: b}, pre_run: a, post_run: b}
JOB_STORE: {additional_stores: {big: {type: sql}}}
optional_jobstores: {m: {docs_store: {type: MongoStore, database: d}}}
remote_jobstore: {store: maggma_json}
metadata: {a: [1, {b: 2}]}
"""
    project = read(home, text)
    name, worker = project.worker()
    assert name == "first"
    assert (worker.max_jobs, worker.job_limit, worker.execution) == (0, 0, "pooled")
    assert worker.preload == ("numpy", "ase.calculators.emt")
    assert project.workers["second"].work_dir == Path("/data/a/jobs")
    assert project.log_dir == Path("/data/a/log")
    assert project.runner.delta_retry == (1, 2.5)
    assert project.runner.lock_timeout is None
    assert project.queue_path == Path("/data/q.db")
    assert project.execution_config("with spaces").export == {"OMP_NUM_THREADS": "1", "NAME": "b"}
    assert project.jobstore == {"additional_stores": {"big": {"type": "sql"}}}
    assert project.metadata == {"a": [1, {"b": 2}]}


def test_paths_know_the_home_and_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", "/scratch/anna")
    project = read(home, "name: a\nbase_dir: ~/a\nworkers: {w: {work_dir: '${env:SCRATCH}/jobs'}}\n")
    assert project.base_dir == Path.home() / "a"
    assert project.workers["w"].work_dir == Path("/scratch/anna/jobs")


def test_a_variable_that_is_not_set_is_named(home: Path) -> None:
    message = problem(home, "name: a\nworkers:\n  w:\n    work_dir: ${env:NOT_SET_ANYWHERE}/jobs\n")
    assert "line 4: workers.w.work_dir" in message
    assert "NOT_SET_ANYWHERE, which is not set; type: export NOT_SET_ANYWHERE=" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\nworker: {}\n", "line 2: worker: unknown key; did you mean workers?"),
        (
            "name: a\nrunner:\n  delay_chekout: 3\n",
            "line 3: runner.delay_chekout: unknown key; did you mean delay_checkout?",
        ),
        ("name: a\nworkers:\n  w:\n    max_job: 1\n", "line 4: workers.w.max_job: unknown key; did you mean max_jobs?"),
        ("name: a\n'[key]': 1\n", "line 2: [key]: unknown key"),
        ("name: a\nqueue: {store: {uri: x}}\n", "queue.store.uri: unknown key; did you mean url?"),
        ("name: a\nexec_config: {e: {module: []}}\n", "exec_config.e.module: unknown key; did you mean modules?"),
        ("name: a\njobstore: {docstore: {}}\n", "jobstore.docstore: unknown key"),
        ("log_level: info\n", "name: is missing"),
        ("name: a\nlog_level: loud\n", "'loud' is not possible: it should be 'error', 'warn', 'info' or 'debug'"),
        ("name: a b\n", "'a b' is not possible"),
        ("name: ../a\n", "'../a' is not possible"),
        ("name: a\nrunner: {delay_checkout: 0}\n", "greater than or equal to 0.01"),
        ("name: a\nrunner: {delay_checkout: .inf}\n", "inf is no number"),
        ("name: a\nrunner: {delta_retry: []}\n", "runner.delta_retry: [] is not possible"),
        ("name: a\nrunner: {delta_retry: [-1]}\n", "runner.delta_retry.0: -1 is not possible"),
        ("name: a\nworkers: {w: {max_jobs: -1}}\n", "workers.w.max_jobs: -1 is not possible"),
        ("name: a\nworkers: {w: {max_jobs: many}}\n", "'many' is not possible: it should be a valid integer"),
        ("name: a\nworkers: {'w w': {}}\n", "workers.w w: is no possible name"),
        ("name: a\nworkers: {w: {work_dir: here}}\n", "'here' is not an absolute path"),
        ("name: a\nbase_dir: ~nobody_of_that_name/x\n", "base_dir: '~nobody_of_that_name/x'"),
        ("name: a\nworkers: 3\n", "workers: 3 is not possible"),
        (
            "name: a\nworkers: {w: {batch: {max_weight: 1}}}\n",
            "did you mean max_wait? The keys here are jobs_handle_dir",
        ),
        ("name: a\nworkers: {w: 3}\n", "workers.w: 3 is not possible"),
        (
            "name: a\nexec_config: {e: {pre_run: 'x ${env:A}'}}\n",
            "exec_config.e.pre_run: these lines are for the shell",
        ),
        (
            "name: a\nworkers: {w: {resources: {account: '${env:A}'}}}\n",
            "w.resources.account: ${...} is possible in paths",
        ),
        ("name: a\nexec_config: {e: {export: {'A B': x}}}\n", "exec_config.e.export.A B: is no possible name"),
        ("name: a\njobstore: {}\nJOB_STORE: {}\n", "JOB_STORE: is another name of jobstore"),
        ("name: a\njobstore: {docs_store: {host: x}}\n", "jobstore.docs_store: a store needs a `type`"),
        ("name: a\nsource: /x\n", "source: unknown key"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(home: Path, text: str, expected: str) -> None:
    assert expected in problem(home, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers: {w: {type: separated_transfer}}\n", "type 'separated_transfer' is not available"),
        ("workers: {w: {scheduler_type: {'@class': X}}}\n", "a serialized scheduler is not available"),
        ("workers: {w: {scheduler_type: slum}}\n", "scheduler_type: 'slum' is not possible: did you mean slurm?"),
        ("workers: {w: {batch: {jobs_handle_dir: /x}}}\n", "workers.w.max_jobs: is missing; a batch worker needs it"),
        ("workers: {w: {max_jobs: 1, batch: {work_dir: x}}}\n", "workers.w.batch.work_dir: is 'x'; give the absolute"),
        (
            "workers: {w: {max_jobs: 1, batch: {work_dir: /x, jobs_handle_dir: /x}}}\n",
            "workers.w.batch.work_dir: is the same folder as jobs_handle_dir",
        ),
        ("workers: {w: {max_jobs: 1, batch: {max_time: 5}}}\n", "workers.w.batch.max_wait: is 60, longer than"),
        (
            "workers: {w: {max_jobs: 1, execution: pooled, batch: {}}}\n",
            "workers.w.execution: `pooled` is not possible on a batch worker",
        ),
        ("workers: {w: {execution_cmd: 'podman run'}}\n", "workers.w.execution_cmd: has no {}, which stands for"),
        ("workers: {w: {execution_cmd: 'jf execution run {}', scheduler_type: slurm}}\n", "is jobflow-remote's"),
        ("workers: {w: {type: remote, work_dir: /x}}\n", "workers.w.host: is missing"),
        ("workers: {w: {type: remote, host: h}}\n", "workers.w.work_dir: is None; give the absolute path of a folder"),
        ("workers: {w: {type: remote, host: h, work_dir: x}}\n", "workers.w.work_dir: is 'x'; give the absolute path"),
        ("workers: {w: {host: h}}\n", "workers.w.host: has a meaning for workers of `type: remote` only"),
        (
            "workers: {w: {type: remote, host: h, work_dir: /x, password: p}}\n",
            "workers.w.password: secrets do not belong into a file",
        ),
        (
            "workers: {w: {type: remote, host: h, work_dir: /x, connect_kwargs: {a: 1}}}\n",
            "put such settings into ~/.ssh/config",
        ),
        ("queue: {store: {type: MongoStore, database: d}}\n", "needs no MongoDB; remove `queue`"),
        ("queue: {store: {url: 'mongodb://x'}}\n", "needs no MongoDB; remove `queue`"),
        ("queue: {store: {url: 'mysql://u:p@h/d'}}\n", "'mysql://u:******@h/d' is no database that towline knows"),
        ("queue: {flows_collection: f}\n", "queue.flows_collection: a collection of MongoDB"),
        ("queue: {store: {url: 'sqlite:///q.db'}}\n", "'q.db' is not an absolute path"),
        ("queue: {store: {url: 'mysql://x'}}\n", "no database that towline knows"),
        ("remote_jobstore: {store: msgpack}\n", "remote_jobstore: another format of results"),
    ],
)
def test_what_this_version_cannot_do_is_refused_once_with_the_reason(home: Path, text: str, expected: str) -> None:
    message = problem(home, f"name: a\n{text}")
    assert expected in message
    assert "has a problem:" in message


def test_all_problems_are_told_at_once(home: Path) -> None:
    workers = "workers:\n  w:\n    type: separated_transfer\n  v:\n    maxjobs: 1\n"
    message = problem(home, f"name: a\nrunner:\n  delay_checkout: 0\n{workers}")
    assert "has 3 problems" in message
    assert all(f"line {number}: " in message for number in (3, 5, 8))


def test_lines_are_told_for_toml_and_json_too(home: Path) -> None:
    assert "line 4: workers.w.max_job" in problem(home, 'name = "a"\n\n[workers.w]\nmax_job = 3\n', "toml")
    text = json.dumps({"name": "a", "workers": {"w": {"max_job": 3}}}, indent=2)
    assert "line 5: workers.w.max_job" in problem(home, text, "json")


@pytest.mark.parametrize(
    ("text", "ending", "expected"),
    [
        ("name: a\nname: b\n", "yaml", "line 2"),
        ("name: a\n\tx: 1\n", "yaml", "line 2"),
        ("name: 'a\n", "yaml", "not valid YAML"),
        ("- a\n", "yaml", "is a list; a project file has keys"),
        ("", "yaml", "is empty"),
        ("name: !!python/object/apply:os.system [ls]\n", "yaml", "not valid YAML"),
        ("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(f"{n}: &{n} [{', '.join(['*' + p] * 9)}]\n" for p, n in zip("abcdef", "bcdefg", strict=True)), "yaml", "more than 20000 values"),  # noqa: E501 - one line of a table
        ("a: &a [*a]\n", "yaml", "nested more than 40 deep"),
        ("name = a\n", "toml", "not valid TOML: Invalid value (at line 1"),
        ('{"name": "a", "name": "b"}', "json", "'name' stands there twice"),
        ('{"name": "a",}', "json", "line 1"),
        ("[" * 100_000, "json", "nested too deeply"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_parsed(home: Path, text: str, ending: str, expected: str) -> None:
    assert expected in problem(home, text, ending)


def test_a_file_that_is_no_text_is_refused(home: Path) -> None:
    path = home / "a.yaml"
    path.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(ProjectUnreadable, match="not UTF-8"):
        read_project(path)


def test_a_byte_order_mark_does_not_matter(home: Path) -> None:
    path = home / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"name": "a"}')
    assert read_project(path).name == "a"


def test_a_wrong_value_under_a_secret_key_is_not_shown(home: Path) -> None:
    message = problem(home, "name: a\nexec_config: {e: {export: {MY_PASSWORD: [hunter2]}}}\n")
    assert "exec_config.e.export.MY_PASSWORD" in message
    assert "hunter2" not in message


def test_the_scan_shows_valid_and_broken_files(home: Path) -> None:
    (home / "a.yaml").write_text("name: a\n")
    (home / "b.yaml").write_text("name: b\nnonsense: 1\n")
    (home / "c.yaml").write_text("name: [\n")
    (home / "d.txt").write_text("no project")
    (home / ".e.yaml").write_text("name: e\n")
    files = scan(home)
    assert [(file.path.name, file.name, file.problem is None) for file in files] == [
        ("a.yaml", "a", True),
        ("b.yaml", "b", False),
        ("c.yaml", None, False),
    ]


def test_the_stamp_changes_with_the_file(home: Path) -> None:
    path = home / "a.yaml"
    path.write_text("name: a\n")
    project = read_project(path)
    first = project_stamp(project)
    assert project_stamp(project) == first
    path.write_text("name: a\nlog_level: debug\n")
    second = project_stamp(project)
    assert second != first
    path.unlink()
    assert project_stamp(project) not in (first, second)


def test_the_stamp_of_the_built_in_project_changes_when_a_file_comes(home: Path) -> None:
    project = default_project(home)
    first = project_stamp(project)
    (home / "a.yaml").write_text("name: a\n")
    assert project_stamp(project) != first
