"""The transport to a host behind SSH, by the system's OpenSSH."""

import shlex
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from towline.errors import ConnectionFailed, ConnectionReason, OutcomeUnknown, WorkerError
from towline.workers.transports.shell_text import Shell
from towline.workers.transports.shell_transport import ShellTransport
from towline.workers.transports.ssh_connection import NO_MASTER, SshConnection, client_environment
from towline.workers.transports.ssh_diagnosis import reason_of
from towline.workers.transports.ssh_login import Ask, log_in
from towline.workers.transports.ssh_settings import SshSettings
from towline.workers.transports.transport import Health

#: At once over one connection; OpenSSH servers allow 10, and the user's own shells may be among them.
_SESSIONS = 8
#: Exit code of ssh for its own failures.
_SSH_FAILED = 255
_LOGIN_SECONDS = 300.0


class _NoMaster(ConnectionFailed):
    """The connection that scripts share is not open (any more); the script was not begun."""


class SshTransport(ShellTransport):
    """Runs scripts on a host behind SSH.

    Connections are made when they are needed and made again when they were lost; several processes with the same
    settings share one. While the host does not let us in, every call fails at once, and the next attempt waits for
    a while or until a person has done something about it.

    Parameters
    ----------
    name
        Name of the worker, for messages.
    settings
        The host and how to reach it.
    shell
        What runs the scripts there.
    timeout_seconds
        For a script that is given no other limit, and for a transfer in which no byte moves.
    """

    def __init__(
        self, name: str, settings: SshSettings, shell: Shell | None = None, timeout_seconds: float = 60.0
    ) -> None:
        super().__init__(name, shell or Shell(), timeout_seconds)
        self._connection = SshConnection(name, settings)
        self._sessions = threading.BoundedSemaphore(_SESSIONS)

    @property
    def connections(self) -> int:
        """How many times a connection was opened."""
        return self._connection.connections

    def login(self, ask: Ask | None = None, timeout_seconds: float = _LOGIN_SECONDS) -> None:
        """Log in with a person at hand; the connection stays for every process with the same settings.

        Parameters
        ----------
        ask
            Answers the questions of ssh (password, one-time password, the key of a new host); None lets ssh ask on
            the terminal of this process.

        Raises
        ------
        ConnectionFailed
            The login did not succeed.
        """
        log_in(self._connection, ask, timeout_seconds)

    def disconnect(self) -> None:
        """End the connection, also one that a person logged in for (but not the one of the user's own shells)."""
        self._connection.disconnect()

    def terminal(self, command: str) -> list[str]:
        """Program and arguments that run a shell command there for somebody at a terminal, over the same connection.

        Raises
        ------
        ConnectionFailed
            There is no connection.
        """
        self._connection.open()
        return ["-t" if word == "-T" else word for word in self._connection.client(command)]

    def check(self) -> Health:
        """Try the connection now, whatever happened before."""
        try:
            self._connection.open(now=True)
        except ConnectionFailed as error:
            return Health(False, str(error), reason=error.reason)
        health = super().check()
        ends = [item.valid_until - time.time() for item in self._connection.certificates() if item.valid_until]
        return replace(health, certificate_seconds_left=max(ends)) if ends else health

    def close(self) -> None:
        """Let go of the connection. One that a person logged in for, and the user's own, stay."""
        self._connection.release()

    def _session(self) -> AbstractContextManager[object]:
        return self._sessions

    def _start(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                self._connection.client(f"exec {shlex.join(argv)}"),
                env=client_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ConnectionFailed(
                f"no connection to {self.name}: there is no program ssh here; install the OpenSSH client",
                ConnectionReason.MISCONFIGURED,
            ) from error

    def _may_try_again(self, error: ConnectionFailed, spent_seconds: float) -> bool:
        if isinstance(error, _NoMaster):
            if spent_seconds > self._timeout_seconds:
                return False
            self._connection.open()
            return True
        if error.reason is ConnectionReason.TOO_MANY_SESSIONS and spent_seconds < self._timeout_seconds:
            time.sleep(min(1.0, 0.05 + spent_seconds / 4))
            return True
        return False

    def _explain(self, begun: bool, code: int | None, said: str) -> WorkerError:
        words = " / ".join(line.strip() for line in said.splitlines() if line.strip())[-500:] or "nothing"
        if begun:
            return OutcomeUnknown(
                f"{self.name}: the connection was cut before the answer came; what was asked for may have been done. "
                f"ssh said: {words}"
            )
        if "session request failed" in said:
            return ConnectionFailed(
                f"{self.name}: the host takes no further session over this connection",
                ConnectionReason.TOO_MANY_SESSIONS,
            )
        if NO_MASTER in said and "request_session" not in said:
            return _NoMaster(f"{self.name}: the connection is not open")
        if code == _SSH_FAILED and reason_of(said) in self._connection.client_reasons:
            return self._connection.diagnose(said)
        if code is None or code >= 128:
            return OutcomeUnknown(
                f"{self.name}: the connection was cut, and it is not known whether what was asked for was begun. "
                f"ssh said: {words}"
            )
        return ConnectionFailed(
            f"{self.name}: the host lets us in but runs no scripts with {self._shell.command!r} (exit code {code}): "
            f"{words}; correct shell_cmd, or ask for an account with a shell",
            ConnectionReason.MISCONFIGURED,
        )
