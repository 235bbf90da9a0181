"""Entry point of `tow`."""

import os
import sys

from towline.interfaces.cli.outline import answer


def run() -> None:
    """Carry out the command that was typed.

    Exit codes: 0 done, 1 the request failed, 2 it was typed wrongly, 3 what was waited for failed or took too long.
    """
    try:
        # A shell that completes words sets the variable.
        if "_TOW_COMPLETE" not in os.environ and answer(sys.argv[1:]):
            return
    except BrokenPipeError:
        # `tow --tree | head`: what Python writes at its end must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    # click takes longer to load than everything that help needs.
    from towline.interfaces.cli.application import run_application

    sys.exit(run_application(sys.argv[1:]))


if __name__ == "__main__":
    run()
