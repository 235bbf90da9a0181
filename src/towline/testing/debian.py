"""Real servers for tests on Debian: packages, users, ports, and daemons that end by their process id."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from towline.testing.waiting import wait_until

#: A user for jobs, who has no rights on the machine.
JOB_USER = "towjobs"

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POLICY = Path("/usr/sbin/policy-rc.d")
_INSTALL_TIMEOUT_SECONDS = 600


class NotPossibleHere(Exception):
    """This machine cannot have the server, and why; a test is to be skipped."""


def require(programs: Sequence[str], packages: Sequence[str], *, answers: str = "") -> None:
    """Have these programs, installing Debian packages when they are missing. Nothing starts by itself.

    Parameters
    ----------
    answers
        What packages are told that would ask (lines of `debconf-set-selections`).

    Raises
    ------
    NotPossibleHere
        This is no Debian, not root, or the packages cannot be installed.
    """
    if os.geteuid() != 0:
        raise NotPossibleHere(f"servers of users and jobs need root; run as root, with {', '.join(packages)} installed")
    missing = [program for program in programs if shutil.which(program, path=SYSTEM_PATH) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise NotPossibleHere(f"{', '.join(missing)} are not installed, and this machine has no apt-get")
    if not _POLICY.exists():
        # Otherwise the packages start services of their own, on the usual ports.
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    if answers:
        subprocess.run(["debconf-set-selections"], input=answers, text=True, check=True)
    if not _install(packages):
        with contextlib.suppress(subprocess.TimeoutExpired):
            _apt("update")
        if not _install(packages):
            raise NotPossibleHere(f"apt-get install {' '.join(packages)} does not work here")


def _install(packages: Sequence[str]) -> bool:
    try:
        return _apt("install", "--yes", "--no-install-recommends", *packages).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _apt(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": SYSTEM_PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_INSTALL_TIMEOUT_SECONDS,
    )


def ensure_user(name: str = JOB_USER) -> None:
    """Have a user with a home folder."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", name], check=True, capture_output=True)


def server_folder(name: str) -> Path:
    """A new folder for a server, which its own user and those of jobs may enter; pytest's may not be entered."""
    folder = Path(tempfile.mkdtemp(prefix=f"towline-{name}-"))
    folder.chmod(0o755)
    return folder


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def run_as(
    user: str, text: str, environment: Mapping[str, str], *, folder: Path | None = None, timeout_seconds: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run shell text as a user, as a login on that machine would."""
    entry = pwd.getpwnam(user)
    return subprocess.run(
        ["bash", "-s"],
        input=text,
        text=True,
        errors="replace",
        capture_output=True,
        timeout=timeout_seconds,
        cwd=folder or entry.pw_dir,
        env={"PATH": SYSTEM_PATH, "HOME": entry.pw_dir, "USER": user, "LOGNAME": user, "SHELL": "/bin/bash"}
        | dict(environment),
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
    )


class Daemon:
    """A server that runs in the foreground, as a child of the tests.

    Parameters
    ----------
    command
        Program and arguments.
    log
        File for what it says.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, user: str | None = None
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={"PATH": SYSTEM_PATH, "LC_ALL": "C", **(environment or {})},
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )

    @property
    def process_id(self) -> int:
        """Its process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Say what it said when it has ended by itself.

        Raises
        ------
        AssertionError
            It has.
        """
        if not self.is_alive():
            said = self.log.read_text(errors="replace")[-2000:]
            raise AssertionError(f"{self.name} ended with {self._process.returncode}: {said}")

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_seconds: float = 15) -> None:
        """End it, and wait until it is gone."""
        if not self.is_alive():
            return
        self._process.send_signal(number)
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def wait_for_command(command: Sequence[str], environment: Mapping[str, str], daemons: Sequence[Daemon]) -> None:
    """Wait until a command succeeds.

    Raises
    ------
    AssertionError
        It did not in a minute, or one of the daemons has ended.
    """

    def works() -> bool:
        for daemon in daemons:
            daemon.check()
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"PATH": SYSTEM_PATH, "LC_ALL": "C", **environment},
            timeout=60,
        )
        return done.returncode == 0

    wait_until(works, 60, what=" ".join(command))
