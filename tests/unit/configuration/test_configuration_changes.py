"""Which keys of a configuration changed."""

import json

from towline.configuration.changes import changed_keys, needs_restart
from towline.configuration.choice import load_project


def test_the_keys_that_changed_are_named_without_their_values(tmp_path, monkeypatch):
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))

    def project(**content):
        (tmp_path / "x.json").write_text(json.dumps({"name": "x", **content}))
        return load_project("x")

    before = project(
        workers={"a": {"max_jobs": 1}, "b": {}}, exec_config={"e": {"export": {"KEY": "secret"}}}, metadata={"x": [1]}
    )
    after = project(
        workers={"a": {"max_jobs": 2}, "c": {}}, exec_config={"e": {"export": {"KEY": "other"}}}, metadata={"x": [2]}
    )
    assert set(changed_keys(before, after)) == {
        "workers.a.max_jobs",
        "workers.b (removed)",
        "workers.c (new)",
        "exec_config.e.export.KEY",
        "metadata.x",
    }
    assert changed_keys(after, after) == []


def test_what_a_runner_has_opened_needs_a_restart():
    assert [key for key in ("queue.store.url", "workers.local.max_jobs", "log_dir") if needs_restart(key)] == [
        "queue.store.url",
        "log_dir",
    ]
