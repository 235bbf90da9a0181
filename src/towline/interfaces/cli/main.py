"""Entry point of `tow`."""

import io
import os
import sys

from towline.interfaces.cli.outline import answer


def run() -> None:
    """Carry out the command that was typed.

    Exit codes: 0 done, 1 the request failed, 2 it was typed wrongly, 3 what was waited for failed or took too long.
    """
    _open_output()
    try:
        # A shell that completes words sets the variable.
        if "_TOW_COMPLETE" not in os.environ and answer(sys.argv[1:]):
            return
    except OSError as error:
        _close_output()
        # `tow --tree | head` is no failure worth a word.
        sys.exit(1 if isinstance(error, BrokenPipeError) else f"tow: the answer cannot be written: {error.strerror}")
    # click takes longer to load than everything that help needs.
    from towline.interfaces.cli.application import run_application

    code = run_application(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        _close_output()
        code = 1
    sys.exit(code)


def _close_output() -> None:
    """Throw away what cannot be written, so that Python does not try, and fail, once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_output() -> None:
    """Let every output take every text: a closed one silently, one with a poor encoding with question marks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


if __name__ == "__main__":
    run()
