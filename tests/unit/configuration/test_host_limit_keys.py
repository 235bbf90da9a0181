"""What a project file may say about limits of hosts."""

import json
from pathlib import Path

import pytest

from towline.configuration.files import parse_project
from towline.configuration.hosts import host_of, workers_on
from towline.errors import ProjectUnreadable

_WORKERS = {
    "here": {},
    "debug": {"type": "remote", "host": "anna@cluster", "work_dir": "/scratch"},
    "regular": {"type": "remote", "host": "cluster", "user": "ben", "work_dir": "/scratch"},
}


def read(limits: object, **changes: object) -> object:
    """The project with these limits."""
    text = json.dumps({"name": "lab", "workers": _WORKERS, "max_jobs_per_host": limits, **changes})
    return parse_project(text, Path("/home/lab.json"))


def test_workers_of_one_host_are_found_whatever_the_account() -> None:
    project = parse_project(json.dumps({"name": "lab", "workers": _WORKERS}), Path("/home/lab.json"))
    assert workers_on(project, "cluster") == ["debug", "regular"]
    assert [host_of(worker) for worker in project.workers.values()] == ["localhost", "cluster", "cluster"]
    assert project.max_jobs_per_host == {}


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"locahost": 1}, "did you mean localhost?"),
        ({"anna@cluster": 1}, "did you mean cluster?"),
        ({"elsewhere": 1}, "the hosts here are localhost, cluster"),
        ({"localhost": -1}, "greater than or equal to 0"),
        ({"localhost": "many"}, "max_jobs_per_host.localhost"),
        ({"localhost": None}, "max_jobs_per_host.localhost"),
        ([1], "max_jobs_per_host"),
    ],
)
def test_a_limit_that_nobody_would_heed_is_refused(limits: object, told: str) -> None:
    with pytest.raises(ProjectUnreadable, match="max_jobs_per_host") as refused:
        read(limits)
    assert told in str(refused.value)


def test_a_misspelt_key_gets_its_name() -> None:
    with pytest.raises(ProjectUnreadable, match="did you mean max_jobs_per_host"):
        read({}, max_jobs_per_hosts={"localhost": 1})
