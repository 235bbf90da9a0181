"""Which environments can read the jobs of this one."""

import sys
from typing import Any

import pytest

import towline
from towline.core.records import FORMAT_VERSION, ShellSetup
from towline.workers.environments.expectation import Expectation, look, mismatch, own_expectation
from towline.workers.transports.local import LocalTransport
from towline.workers.transports.shell_text import Shell

HERE = Expectation(towline="0.2.1", format=3, jobflow="0.4.0")


def facts(**changes: Any) -> dict[str, Any]:
    there = {"python": [3, 12, 1], "executable": "/opt/python", "towline": "0.2.1", "format": 3, "jobflow": "0.4.0"}
    return {name: value for name, value in {**there, **changes}.items() if value is not None}


@pytest.mark.parametrize("changes", [{}, {"towline": "0.2.7"}, {"jobflow": "0.4.9"}, {"python": [3, 14, 0]}])
def test_other_patches_and_pythons_can_read_them(changes: dict[str, Any]) -> None:
    assert mismatch(facts(**changes), HERE) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"python": [3, 9, 2]}, "has Python 3.9.2 (/opt/python), and towline needs 3.11"),
        ({"towline": None, "problem": "ModuleNotFoundError: x"}, "has no towline that works in /opt/python (Module"),
        ({"towline": "0.1.9"}, "has towline 0.1.9 in /opt/python, and this machine 0.2.1"),
        ({"format": 2}, "has towline 0.2.1"),
        ({"jobflow": None}, "has no jobflow in /opt/python"),
        ({"jobflow": "0.3.9"}, "has jobflow 0.3.9 in /opt/python, and this machine 0.4.0"),
    ],
)
def test_what_does_not_fit_is_named_with_both_versions(changes: dict[str, Any], said: str) -> None:
    assert (mismatch(facts(**changes), HERE) or "").startswith(said)


def test_an_interpreter_tells_what_it_has() -> None:
    transport = LocalTransport("here", Shell(login=False), 60)
    seen = look(transport, sys.executable, ShellSetup(pre_run=("echo noise; echo more >&2",)))
    assert seen.facts is not None
    assert (seen.facts["towline"], seen.facts["format"]) == (towline.__version__, FORMAT_VERSION)
    assert mismatch(seen.facts, own_expectation()) is None
    missing = look(transport, "/no such/python", ShellSetup())
    assert (missing.facts, missing.reached) == (None, True)
    assert "/no such/python" in missing.said
    broken = look(transport, sys.executable, ShellSetup(pre_run=("echo no module >&2; exit 7",)))
    assert (broken.facts, broken.reached, broken.said) == (None, False, "no module")
