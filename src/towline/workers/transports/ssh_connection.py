"""The one connection to a host that all scripts share: a master of OpenSSH, ours or the user's own."""

import contextlib
import fcntl
import hashlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from towline.errors import ConnectionFailed, ConnectionReason
from towline.workers.socket_place import private_folder
from towline.workers.transports.certificates import Certificate, read_certificates
from towline.workers.transports.ssh_diagnosis import Place, diagnosis
from towline.workers.transports.ssh_settings import SshSettings, configuration_text

#: An idle connection that nobody logged in for by hand ends after this time.
_IDLE_SECONDS = 600
#: Said by the client of a master when there is none: it must not connect by itself, past the count of sessions.
NO_MASTER = "towline-no-master"
_NEVER_DIRECT = f'ProxyCommand=/bin/sh -c "echo {NO_MASTER} >&2; exit 1"'

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0
#: A refused login is not repeated for long: sites lock accounts.
_REFUSED_PAUSE_SECONDS = 30.0
_LONGEST_REFUSED_PAUSE_SECONDS = 600.0
#: Local commands of ssh, which do not go over the network.
_LOCAL_SECONDS = 10.0

_LOCALE = ("LANG", "LANGUAGE")


def client_environment() -> dict[str, str]:
    """Environment for ssh: it speaks English, sends no language of ours to the host, and asks nobody."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LC_") and key not in _LOCALE}
    return {**kept, "SSH_ASKPASS_REQUIRE": "never"}


class SshConnection:
    """Opens, finds and watches the master for one host.

    The master's socket stands in a folder of this user alone, under a name made of the settings: every process with
    the same settings finds the same connection.

    Parameters
    ----------
    name
        Name of the worker, for messages.
    """

    def __init__(self, name: str, settings: SshSettings) -> None:
        self._name = name
        self.settings = settings
        text = configuration_text(settings, batch=True)
        key = hashlib.sha256(f"{settings.host}\n{text}".encode()).hexdigest()[:16]
        folder = private_folder()
        self.socket = folder / f"ssh-{key}"
        self._lock_file = folder / f"ssh-{key}.lock"
        self._config = _written(folder / f"ssh-{key}.config", text)
        self.login_config = _written(folder / f"ssh-{key}.login", configuration_text(settings, batch=False))
        self._opening = threading.Lock()
        #: Whether the user's own master is used.
        self._users_own = False
        self._opened_here = False
        self._failure: ConnectionFailed | None = None
        self._try_at = 0.0
        self._pause_seconds = 0.0
        self._seen: object = None
        self._strict: tuple[str, ...] = ()
        #: How many times a connection was opened.
        self.connections = 0

    def client(self, command: str) -> list[str]:
        """The program that runs a command by way of the master, and never without."""
        master = () if self._users_own else ("-S", str(self.socket), "-o", _NEVER_DIRECT)
        return [*self._ssh(self._config), *master, "-T", "--", self.settings.host, command]

    @property
    def client_reasons(self) -> frozenset[ConnectionReason]:
        """Reasons for which a client of the master fails before a script has begun.

        One of the user's own master connects by itself when that master has gone, so that it can fail in every way;
        that a connection was closed does not say when.
        """
        if not self._users_own:
            return frozenset({ConnectionReason.MISCONFIGURED})
        return frozenset(ConnectionReason) - {ConnectionReason.CLOSED, ConnectionReason.OTHER}

    def open(self, *, now: bool = False) -> None:
        """See to it that there is a master.

        Parameters
        ----------
        now
            Try even if it failed a moment ago.

        Raises
        ------
        ConnectionFailed
            There is none, for a reason that it names.
        """
        with self._opening:
            if not now:
                self._remember()
            with self.lock(self.settings.connect_seconds):
                if self.is_open():
                    self._succeeded()
                    return
                try:
                    self._start()
                except ConnectionFailed as error:
                    self._failed(error)
                    raise
                self._succeeded()

    def is_open(self) -> bool:
        """Whether there is a master that answers, ours or the user's own; takes note of which."""
        if self.socket.exists():
            if self.control("check"):
                self._users_own = False
                return True
            self.socket.unlink(missing_ok=True)
        self._users_own = self._local("-O", "check", "--", self.settings.host).returncode == 0
        return self._users_own

    def control(self, word: str) -> bool:
        """Tell our master something; return whether it answered."""
        return self._local("-S", str(self.socket), "-O", word, "--", self.settings.host).returncode == 0

    def release(self) -> None:
        """Let the master end when its last script has, if it was opened here without a person."""
        if self._opened_here and not self._users_own:
            self._opened_here = False
            self.control("stop")

    def disconnect(self) -> None:
        """End our master now, whoever opened it."""
        with self._opening:
            self.control("exit")
            self._opened_here = False
            self._failure = None

    def master_command(self, config: Path, persist: str) -> list[str]:
        """The program that opens a master, and goes to the background when the login is complete."""
        options = ["-M", "-S", str(self.socket), "-o", "ControlMaster=yes", "-o", f"ControlPersist={persist}"]
        return [*self._ssh(config), *options, *self._strict, "-N", "-f", "--", self.settings.host]

    def diagnose(self, said: str) -> ConnectionFailed:
        """The error for what ssh said."""
        facts = self._facts()
        user = facts.get("user", ["?"])[0]
        host, port = facts.get("hostname", [self.settings.host])[0], facts.get("port", ["22"])[0]
        address = host if port == "22" else f"[{host}]:{port}"
        return diagnosis(said, Place(self._name, self.settings.host, address, user, self.certificates(facts)))

    def certificates(self, facts: Mapping[str, Sequence[str]] | None = None) -> list[Certificate]:
        """The certificates that ssh would offer."""
        return read_certificates(_certificate_files(self._facts() if facts is None else facts))

    @contextlib.contextmanager
    def lock(self, patience_seconds: float) -> Iterator[None]:
        """Only one process opens a master at a time.

        Raises
        ------
        ConnectionFailed
            Somebody else is at it for longer than we wait: a person who types a password, perhaps.
        """
        deadline = time.monotonic() + patience_seconds
        with self._lock_file.open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if time.monotonic() > deadline:
                        raise ConnectionFailed(
                            f"no connection to {self._name}: another process is logging in to it; it is tried again",
                            ConnectionReason.LOGIN_NEEDED,
                            1.0,
                        ) from error
                time.sleep(0.02)
            yield

    def logged_in(self) -> None:
        """A person has opened a master: it stays when this process ends."""
        self._opened_here = False
        self._users_own = False
        self.connections += 1
        self._succeeded()

    def _ssh(self, config: Path) -> list[str]:
        return ["ssh", "-F", str(config)]

    def _start(self) -> None:
        self._verify_keys()
        with tempfile.TemporaryFile() as words:
            # A file, because the processes of jump hosts keep a pipe open.
            try:
                process = subprocess.Popen(
                    self.master_command(self._config, str(_IDLE_SECONDS)),
                    env=client_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=words,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise ConnectionFailed(
                    f"no connection to {self._name}: there is no program ssh here; install the OpenSSH client",
                    ConnectionReason.MISCONFIGURED,
                ) from error
            code = _waited(process, 2.0 * self.settings.connect_seconds + 10)
            words.seek(0)
            said = words.read().decode(errors="replace")
        if code is None:
            raise self.diagnose(f"{said}\nConnection timed out during the login")
        if code or not self.control("check"):
            raise self.diagnose(said)
        self.connections += 1
        self._opened_here = True

    def _verify_keys(self) -> None:
        """A configuration that takes any host key is answered by taking new ones only, never changed ones."""
        if self._facts().get("stricthostkeychecking", ["ask"])[0] in ("no", "off", "false"):
            self._strict = ("-o", "StrictHostKeyChecking=accept-new")

    def _facts(self) -> dict[str, list[str]]:
        """What ssh makes of the configuration: values by key in lower case."""
        facts: dict[str, list[str]] = {}
        for line in self._local("-G", "--", self.settings.host).stdout.splitlines():
            key, _, value = line.partition(" ")
            facts.setdefault(key.lower(), []).append(value)
        return facts

    def _local(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*self._ssh(self._config), *arguments]
        try:
            return subprocess.run(
                command,
                env=client_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LOCAL_SECONDS,
                check=False,
            )
        except (subprocess.TimeoutExpired, FileNotFoundError):
            return subprocess.CompletedProcess(command, 255, "", "")

    def _remember(self) -> None:
        """Answer with the last failure while it is too early for another attempt and nothing has changed."""
        failure, left = self._failure, self._try_at - time.monotonic()
        if failure is None or left <= 0:
            return
        if not failure.transient and (self._signs() != self._seen or self.is_open()):
            return
        raise type(failure)(str(failure), failure.reason, left)

    def _failed(self, error: ConnectionFailed) -> None:
        refused = not error.transient
        first, longest = (
            (_REFUSED_PAUSE_SECONDS, _LONGEST_REFUSED_PAUSE_SECONDS)
            if refused
            else (_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        )
        self._pause_seconds = min(longest, max(first, 2 * self._pause_seconds))
        self._try_at = time.monotonic() + self._pause_seconds
        self._failure = error
        error.retry_after_seconds = self._pause_seconds
        self._seen = self._signs() if refused else None

    def _succeeded(self) -> None:
        self._failure = None
        self._pause_seconds = 0.0

    def _signs(self) -> object:
        """Changes when a person has done something about a refused login."""
        facts = self._facts()
        known = " ".join(facts.get("userknownhostsfile", [])).split()
        files = [*(Path(name).expanduser() for name in known), *_key_files(facts), *_certificate_files(facts)]
        return [(path, _stamp(path)) for path in files], self.socket.exists()


def _written(path: Path, text: str) -> Path:
    if not path.exists() or path.read_text() != text:
        partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
        partial.write_text(text)
        partial.chmod(0o600)
        partial.replace(path)
    return path


def _waited(process: "subprocess.Popen[bytes]", seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        return None


def _key_files(facts: Mapping[str, Sequence[str]]) -> list[Path]:
    return [Path(name).expanduser() for name in facts.get("identityfile", ())]


def _certificate_files(facts: Mapping[str, Sequence[str]]) -> list[Path]:
    named = [Path(name).expanduser() for name in facts.get("certificatefile", ())]
    beside = [path.with_name(f"{path.name}-cert.pub") for path in _key_files(facts)]
    return list(dict.fromkeys([*named, *beside]))


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
