"""A login by a person: ssh asks on the terminal, or a function answers its questions."""

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from towline.errors import ConnectionFailed, ConnectionReason
from towline.workers.socket_place import private_folder
from towline.workers.transports.ssh_connection import SshConnection, client_environment

#: Answers a question of ssh: a password, a one-time password, or yes for a new host key. None gives up.
Ask = Callable[[str], str | None]

#: The connection of a person stays until the host or the person ends it.
_FOR_EVER = "yes"

#: What ssh runs to ask: hands its question to the process that logs in, and its answer back.
_ASKPASS = """\
import socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect(sys.argv[1])
    line.sendall(" ".join(sys.argv[2:]).encode())
    line.shutdown(socket.SHUT_WR)
    answer = b""
    while data := line.recv(4096):
        answer += data
if not answer:
    sys.exit(1)
sys.stdout.write(answer[1:].decode())
"""


def log_in(connection: SshConnection, ask: Ask | None, timeout_seconds: float) -> None:
    """Open the master with a person at hand; it stays when this process ends.

    Parameters
    ----------
    ask
        Answers the questions; None lets ssh ask on the terminal of this process.
    timeout_seconds
        For the whole login, the person's thinking included.

    Raises
    ------
    ConnectionFailed
        The login did not succeed.
    """
    with connection.lock(timeout_seconds):
        if connection.is_open():
            connection.logged_in()
            return
        command = connection.master_command(connection.login_config, _FOR_EVER)
        with tempfile.TemporaryFile() as words:
            if ask is None:
                code = _on_the_terminal(command, words.fileno(), timeout_seconds)
            else:
                with _answering(ask) as environment:
                    code = _asked(command, environment, words.fileno(), timeout_seconds)
            words.seek(0)
            said = words.read().decode(errors="replace")
        if code is None:
            raise ConnectionFailed(
                f"the login to {connection.settings.host} was not complete after {timeout_seconds:g} s; try again",
                ConnectionReason.TIMED_OUT,
            )
        if code or not connection.control("check"):
            raise connection.diagnose(said)
        connection.logged_in()


def _on_the_terminal(command: list[str], words: int, timeout_seconds: float) -> int | None:
    # In the session of the terminal, which ssh opens by itself to ask; what it says goes to the person as well.
    environment = {key: value for key, value in client_environment().items() if key != "SSH_ASKPASS_REQUIRE"}
    process = subprocess.Popen(command, env=environment, stdin=None, stdout=None, stderr=subprocess.PIPE)
    assert process.stderr is not None
    copier = threading.Thread(target=_copy, args=(process.stderr.fileno(), words), daemon=True)
    copier.start()
    try:
        code = process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None
    # The background process lets go of the pipe, those of a jump host do not.
    copier.join(1.0)
    return code


def _copy(source: int, target: int) -> None:
    with contextlib.suppress(OSError):
        while data := os.read(source, 4096):
            os.write(target, data)
            os.write(sys.stderr.fileno(), data)


def _asked(command: list[str], environment: dict[str, str], words: int, timeout_seconds: float) -> int | None:
    process = subprocess.Popen(
        # One wrong answer ends it: more of them lock accounts.
        [*command[:-2], "-o", "NumberOfPasswordPrompts=1", *command[-2:]],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=words,
        start_new_session=True,
    )
    try:
        return process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        return None


@contextlib.contextmanager
def _answering(ask: Ask) -> Iterator[dict[str, str]]:
    """An environment in which ssh asks this process; the answers go through a socket that only this user can open."""
    with tempfile.TemporaryDirectory(dir=private_folder(), prefix="ask-") as folder:
        place = Path(folder, "socket")
        program = Path(folder, "askpass")
        code = shlex.join([sys.executable, "-I", "-c", _ASKPASS, str(place)])
        program.write_text(f'#!/bin/sh\nexec {code} "$@"\n')
        program.chmod(0o700)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place))
            listener.listen()
            stopping = threading.Event()
            thread = threading.Thread(target=_answer_all, args=(listener, ask, stopping), daemon=True)
            thread.start()
            try:
                yield {
                    **client_environment(),
                    "SSH_ASKPASS": str(program),
                    "SSH_ASKPASS_REQUIRE": "force",
                    "DISPLAY": os.environ.get("DISPLAY", ":0"),
                }
            finally:
                stopping.set()
                thread.join(1.0)


def _answer_all(listener: socket.socket, ask: Ask, stopping: threading.Event) -> None:
    listener.settimeout(0.05)
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            line, _ = listener.accept()
            with line:
                line.settimeout(10)
                _answer(line, ask)
        time.sleep(0)


def _answer(line: socket.socket, ask: Ask) -> None:
    question = b""
    with contextlib.suppress(OSError):
        while data := line.recv(4096):
            question += data
        answer = ask(question.decode(errors="replace"))
        if answer is not None:
            # One byte before it, so that an empty answer is an answer too.
            line.sendall(b"=" + answer.encode() + b"\n")
