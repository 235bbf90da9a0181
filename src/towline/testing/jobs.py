"""Sample jobs that workers can import, for tests, benchmarks and first steps."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from jobflow import Flow, Job, Response, job

from towline.jobflow.holds import hold


@job
def add(a: float, b: float) -> float:
    """The sum."""
    return a + b


@job
def total(numbers: list[float]) -> float:
    """The sum of a list."""
    return sum(numbers)


@job
def append_line(path: str, line: str, after: object = None, seconds: float = 0) -> str:
    """Add a line to a file, a trace of every time the job really ran, and take some time."""
    with Path(path).open("a") as file:
        file.write(f"{line}\n")
    time.sleep(seconds)
    return line


@job
def fail(message: str = "as asked") -> None:
    """Raise an error."""
    raise ValueError(message)


@job
def sleep(seconds: float) -> float:
    """Take some time."""
    time.sleep(seconds)
    return seconds


@job
def wait_for_file(path: str, timeout_seconds: float = 60) -> str:
    """Run until a file appears."""
    deadline = time.monotonic() + timeout_seconds
    while not Path(path).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} did not appear in {timeout_seconds:g} s")
        time.sleep(0.01)
    return path


@job
def print_lines(text: str, error_text: str = "") -> None:
    """Write to standard output and standard error."""
    print(text)
    print(error_text, file=sys.stderr)


@job
def end_process(exit_code: int | None = None, signal_number: int | None = None) -> None:
    """Leave without a result: with an exit code, or by a signal."""
    if signal_number is not None:
        os.kill(os.getpid(), signal.Signals(signal_number))
    os._exit(exit_code or 0)


@job
def environment(names: list[str]) -> dict[str, object]:
    """Where and how the job runs: folder, process, and some variables."""
    return {
        "folder": str(Path.cwd()),
        "pid": os.getpid(),
        "parent_pid": os.getppid(),
        "variables": {name: os.environ.get(name) for name in names},
    }


@job
def fan_out(count: int) -> "Response[Any]":
    """Replace itself by `count` jobs and their total."""
    jobs = [add(number, 1) for number in range(count)]
    result = total([new.output for new in jobs])
    return Response(replace=Flow([*jobs, result], output=result.output))


@job
def chain_by_replacing(length: int) -> "Response[Any] | int":
    """Replace itself again and again."""
    return Response(replace=chain_by_replacing(length - 1)) if length > 0 else 0


@job
def respond(
    output: object = None,
    addition: list[float] | None = None,
    detour: list[float] | None = None,
    stored_data: dict[str, object] | None = None,
    stop_children: bool = False,
    stop_jobflow: bool = False,
) -> "Response[Any]":
    """Give any response; an addition and a detour are jobs that add these numbers one after another."""
    given: dict[str, Any] = {"stored_data": stored_data}
    if addition is not None:
        given["addition"] = _running_sum(addition)
    if detour is not None:
        given["detour"] = _running_sum(detour)
    return Response(output=output, stop_children=stop_children, stop_jobflow=stop_jobflow, **given)


def _running_sum(numbers: list[float]) -> Flow:
    jobs: list[Flow | Job] = [add(numbers[0], 0)]
    for number in numbers[1:]:
        jobs.append(add(jobs[-1].output, number))
    return Flow(jobs)


@job(data="large")
def with_large_data(size: int) -> dict[str, object]:
    """An output whose part `large` goes to the additional store `data`."""
    return {"size": size, "large": list(range(size))}


@job
def take_memory(megabytes: int) -> int:
    """Hold this much memory for a moment."""
    return len(bytearray(megabytes * 1024**2)) // 1024**2


@job
def fill_memory(megabytes: int) -> int:
    """Write to every page of this much memory."""
    held = bytearray(megabytes * 1024**2)
    for position in range(0, len(held), 4096):
        held[position] = 1
    return len(held) // 1024**2


@job
def continue_from_checkpoint() -> list[str]:
    """Come one step further with each attempt, and end after two."""
    here = Path.cwd()
    found = sorted(path.name for path in here.glob("*.chk"))
    if len(found) == 2:
        return found
    if found and (here / "data" / "before").read_text() != "step 1.chk":
        raise ValueError("the files of the earlier attempt are not as it left them")
    (here / f"step {len(found) + 1}.chk").write_text("state")
    (here / "data").mkdir(exist_ok=True)
    (here / "data" / "before").write_text("step 1.chk")
    (here / "other").write_text("not to be kept")
    os._exit(1)


@job
def add_failing_job() -> "Response[Any]":
    """Add a job that fails."""
    return Response(addition=end_process(exit_code=1))


@job
def add_hold() -> "Response[Any]":
    """Add a step that waits for a person."""
    return Response(addition=hold("Go on?"))


@job
def add_two_in_a_row() -> "Response[Any]":
    """Add two jobs, one after the other."""
    first = add(1, 1)
    return Response(addition=Flow([first, add(first.output, 1)]))
