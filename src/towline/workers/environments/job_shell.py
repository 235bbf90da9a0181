"""The shell lines of a job around a program that looks or installs."""

import shlex

from towline.core.records import ShellSetup


def in_job_shell(setup: ShellSetup, command: str, *, stdin: str = "/dev/null") -> str:
    """A script that runs shell lines where a job of this setup would run.

    Parameters
    ----------
    command
        Shell lines, after those of the setup.
    stdin
        File that the lines of the setup and the command read.
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in setup.export.items()]
    loads = [f"module load {shlex.quote(module)} || exit 1" for module in setup.modules]
    lines = "\n".join([*setup.pre_run, *exports, *loads, command])
    return f"cd / && /bin/bash -c {shlex.quote(lines)} <{stdin}\n"
