"""The transport to this machine itself: the same scripts and streams, without a network."""

import os
import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from towline.errors import ConnectionFailed, ConnectionReason, OutcomeUnknown, WorkerError
from towline.workers.transports.shell_text import Shell
from towline.workers.transports.shell_transport import ShellTransport


class LocalTransport(ShellTransport):
    """Runs scripts on this machine.

    Parameters
    ----------
    name
        Name of the worker, for messages.
    shell
        What runs the scripts; no login shell, because this process has the user's environment already.
    timeout_seconds
        For a script that is given no other limit, and for a transfer in which no byte moves.
    """

    def __init__(self, name: str, shell: Shell | None = None, timeout_seconds: float = 60.0) -> None:
        super().__init__(name, shell or Shell(login=False), timeout_seconds)

    def _session(self) -> AbstractContextManager[object]:
        return nullcontext()

    def _start(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                argv,
                cwd=os.path.expanduser("~"),  # noqa: PTH111 - not an error when there is no home folder
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ConnectionFailed(
                f"{self.name}: {argv[0]} cannot be started on this machine: {error.strerror}", ConnectionReason.OTHER
            ) from error

    def _explain(self, begun: bool, code: int | None, said: str) -> WorkerError:
        last = said.strip()[-1000:] or "it said nothing"
        if begun:
            return OutcomeUnknown(f"{self.name}: the shell {self._shell.command!r} was ended in the middle: {last}")
        return ConnectionFailed(
            f"{self.name}: the shell {self._shell.command!r} does not run scripts: {last}; correct shell_cmd",
            ConnectionReason.MISCONFIGURED,
        )

    def _may_try_again(self, error: ConnectionFailed, spent_seconds: float) -> bool:
        return False

    def close(self) -> None:
        """Nothing is kept open."""
