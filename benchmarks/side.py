"""One side of a comparison, in a process of its own: ``python -m benchmarks.side MODULE FUNCTION ARGUMENTS``.

Prints what the function returns, as JSON, on a last line of its own. Imports nothing heavy, because peers use it too,
with their own interpreter.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
#: No single side of a comparison takes longer than this.
DEADLINE_SECONDS = 240.0


class SideFailed(RuntimeError):
    """A side of a comparison ended without a figure."""


def run_side(
    module: str,
    function: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """Call ``benchmarks.<module>.<function>(**arguments)`` in a new process and return its answer.

    Raises
    ------
    SideFailed
        The process failed, or did not end in time; the message has the end of what it printed.
    """
    command = [python, "-m", "benchmarks.side", f"benchmarks.{module}", function, json.dumps(dict(arguments or {}))]
    try:
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SideFailed(f"{module}.{function} did not end within {DEADLINE_SECONDS:g} s") from error
    if done.returncode != 0:
        raise SideFailed(f"{module}.{function} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Call the function that the command line names."""
    module, function, arguments = sys.argv[1:]
    answer = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    print("\n" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
