"""Typing `tow` in tests: the real command line on a real project, inside the test's process."""

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from towline.interfaces.cli.main import run


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, which is JSON and nothing else."""
        return orjson.loads(self.out)


def tow(*arguments: str, typed: str = "") -> Answer:
    """Type a command.

    Parameters
    ----------
    typed
        What the user answers to questions; nobody answers when it is empty.
    """
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with _standard_streams(typed, list(arguments)), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run()
        except SystemExit as end:
            code = end.code
    return Answer(code if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _standard_streams(typed: str, arguments: list[str]) -> Iterator[None]:
    before = sys.stdin, sys.argv
    sys.stdin, sys.argv = io.StringIO(typed), ["tow", *arguments]
    try:
        yield
    finally:
        sys.stdin, sys.argv = before
