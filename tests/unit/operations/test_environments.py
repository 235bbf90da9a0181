import sys

import pytest

from towline.core.records import ShellSetup
from towline.errors import WorkerError
from towline.operations.environments import Environment, differences, environment_of, own_environment


def test_without_shell_lines_a_job_sees_what_this_process_sees() -> None:
    assert differences(own_environment(), environment_of(ShellSetup(), (), timeout_seconds=60), None) == []


def test_another_release_of_the_same_python_counts_only_when_everything_is_compared() -> None:
    here, there, later = (Environment(python, {"jobflow": "0.4.0"}) for python in ("3.11.7", "3.11.2", "3.12.2"))
    assert differences(here, there, ("jobflow",)) == []
    assert differences(here, there, None) == ["Python 3.11.2 (here 3.11.7)"]
    assert differences(here, later, ("jobflow",)) == ["Python 3.12.2 (here 3.11.7)"]


def test_shell_lines_and_exports_are_in_force(tmp_path: object) -> None:
    package = f"{tmp_path}/strange $(name) 'x'"
    lines = (
        'about="$PLACE"/only_here-1.0.dist-info',
        'echo noise; mkdir -p "$about"; touch "$PLACE"/only_here.py',
        'printf "Metadata-Version: 2.1\\nName: only_here\\nVersion: 1.0\\n" > "$about"/METADATA',
    )
    setup = ShellSetup(pre_run=lines, export={"PLACE": package, "PYTHONPATH": package})
    seen = environment_of(setup, ("only_here",), timeout_seconds=60)
    assert differences(own_environment(), seen, None) == ["only_here 1.0 (here missing)"]
    assert differences(own_environment(), seen, ("pydantic",)) == []


@pytest.mark.parametrize(
    ("setup", "modules", "timeout_seconds", "expected"),
    [
        (ShellSetup(), ("no_such_module",), 60, "No module named 'no_such_module'"),
        (ShellSetup(pre_run=("echo broken >&2; exit 3",)), (), 60, r"exit code 3\): broken"),
        (ShellSetup(modules=("no such module; $(x)",)), (), 60, "exit code 1"),
        (ShellSetup(pre_run=("sleep 60",)), (), 0.2, r"took longer than 0\.2 s"),
    ],
)
def test_what_goes_wrong_is_told(
    setup: ShellSetup, modules: tuple[str, ...], timeout_seconds: float, expected: str
) -> None:
    with pytest.raises(WorkerError, match=expected):
        environment_of(setup, modules, timeout_seconds=timeout_seconds)


def test_another_python_is_a_difference() -> None:
    own = own_environment()
    assert own.python == ".".join(map(str, sys.version_info[:3]))
