"""Real OpenSSH servers on loopback, for tests: keys, certificates, one-time passwords, jump hosts, noisy shells.

They are started as root, because a server that lets other users in, and PAM, need that; each has its own folder, keys,
configuration and port, and is ended by its process id. The one account that they share is made when it is missing.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from towline.testing.debian import JOB_USER, NotPossibleHere, ensure_user, free_ports, require, server_folder
from towline.testing.waiting import wait_until
from towline.workers.socket_place import private_folder

#: The account that tests log in to.
ACCOUNT = JOB_USER
PASSWORD = "correct-horse"
#: Base 32; the one-time passwords of the account are made of it.
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEH"

_PACKAGES = ("openssh-server", "openssh-client", "libpam-google-authenticator", "oathtool")
_KEYS_ONLY = "PubkeyAuthentication yes\nKbdInteractiveAuthentication no\nUsePAM no\n"
_ASKING = (
    "PubkeyAuthentication no\nKbdInteractiveAuthentication yes\n"
    "AuthenticationMethods keyboard-interactive\nUsePAM yes\n"
)


def require_sshd(*, one_time_passwords: bool = False) -> None:
    """Have what the servers need, installing Debian packages when they are missing.

    Raises
    ------
    NotPossibleHere
        This is no Debian, not root, or the packages cannot be installed.
    """
    programs = ["sshd", "ssh", "ssh-keygen", *(["oathtool", "google-authenticator"] if one_time_passwords else [])]
    require(programs, _PACKAGES)


@dataclass(slots=True)
class Server:
    """One server."""

    name: str
    port: int
    folder: Path
    program: str
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> str:
        """What the server has said."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start listening."""
        self.process = subprocess.Popen(
            [self.program, "-D", "-f", str(self.folder / "config"), "-E", str(self.folder / "log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._listens, 20, f"sshd at port {self.port}")

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"sshd does not start: {self.log}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        """End the listener; connections that are open go on."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    def cut(self) -> None:
        """Kill the processes of all open connections; what they have started lives on."""
        _kill(self._connections())

    def crash(self) -> None:
        """End the listener and all open connections."""
        open_now = self._connections()
        self.stop()
        _kill(open_now)

    def _connections(self) -> list[psutil.Process]:
        if self.process is None:
            return []
        children = _sshd_children(self.process.pid)
        return [process for child in children for process in (*_sshd_children(child.pid), child)]


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _sshd_children(pid: int) -> list[psutil.Process]:
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.name().startswith("sshd"):
                    found.append(child)
    return found


@dataclass(slots=True)
class SshSite:
    """Servers, keys and the configuration of a user of them.

    Parameters
    ----------
    folder
        For everything; others must be able to enter it.
    """

    folder: Path
    servers: dict[str, Server] = field(default_factory=dict)

    @property
    def client(self) -> Path:
        """Folder of the user: keys, known hosts, and `config`."""
        return self.folder / "client"

    @property
    def config(self) -> Path:
        """The user's configuration of ssh."""
        return self.client / "config"

    @property
    def home(self) -> Path:
        """Home folder of the account."""
        return Path(pwd.getpwnam(ACCOUNT).pw_dir)

    def prepare(self) -> None:
        """Make the account, its keys and a certificate authority."""
        Path("/run/sshd").mkdir(exist_ok=True)
        _make_account()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.client.mkdir(mode=0o700, exist_ok=True)
        for name in ("client/key", "client/certified", "client/stranger", "host", "other_host", "authority"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name))
        shutil.copy(self.client / "key.pub", self.folder / "authorized_keys")
        os.chmod(self.folder / "authorized_keys", 0o644)  # noqa: PTH101
        (self.client / "known_hosts").write_text("")
        self.certify(3600)

    def certify(self, seconds: int) -> None:
        """Sign the certified key for so long from now; less than 0 for a certificate that has lapsed."""
        begin = f"{min(seconds, 0) - 60:+d}s"
        (self.client / "certified-cert.pub").unlink(missing_ok=True)
        authority, key = str(self.folder / "authority"), str(self.client / "certified.pub")
        _run("ssh-keygen", "-q", "-s", authority, "-I", "test", "-n", ACCOUNT, "-V", f"{begin}:{seconds:+d}s", key)

    def add(self, name: str, settings: str = "", *, host_key: str = "host", pam: str | None = None) -> Server:
        """Start a server with further lines of configuration; the alias `name` leads to it.

        Parameters
        ----------
        pam
            Lines of a PAM service of its own; without, keys and certificates are what it takes.
        """
        folder = self.folder / f"server-{name}"
        folder.mkdir()
        server = Server(
            name, free_ports(1)[0], folder, str(shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin"))
        )
        if pam is not None:
            server.program = _with_pam(folder, server.program, pam)
        (folder / "config").write_text(
            f"{settings}\n{_KEYS_ONLY if pam is None else _ASKING}"
            f"ListenAddress 127.0.0.1:{server.port}\nHostKey {self.folder / host_key}\nPidFile none\nUseDNS no\n"
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}\nTrustedUserCAKeys {self.folder / 'authority.pub'}\n"
            "StrictModes no\nLogLevel VERBOSE\nPrintMotd no\nPasswordAuthentication no\nMaxStartups 100\n"
            "Subsystem sftp internal-sftp\n"
        )
        server.start()
        self.servers[name] = server
        self.know(server.port)
        self.write_config()
        return server

    def know(self, port: int, host_key: str = "host") -> None:
        """Put the key of the host at a port into the user's known hosts."""
        key = " ".join((self.folder / f"{host_key}.pub").read_text().split()[:2])
        with (self.client / "known_hosts").open("a") as file:
            file.write(f"[127.0.0.1]:{port} {key}\n")

    def write_config(self, extra: str = "", lines: Sequence[str] = ()) -> None:
        """Write the user's configuration: an alias for each server, `extra` blocks first, `lines` for all hosts."""
        blocks = [f"Host {item.name}\n  HostName 127.0.0.1\n  Port {item.port}\n" for item in self.servers.values()]
        everywhere = [
            f"User {ACCOUNT}",
            f"IdentityFile {self.client / 'key'}",
            "IdentitiesOnly yes",
            f"UserKnownHostsFile {self.client / 'known_hosts'}",
            *lines,
        ]
        text = f"{extra}\n{''.join(blocks)}Host *\n" + "".join(f"  {line}\n" for line in everywhere)
        self.config.write_text(text)

    def stop(self) -> None:
        """End all servers and their connections."""
        for server in self.servers.values():
            server.cut()
            server.stop()
        self.servers.clear()


def _with_pam(folder: Path, program: str, lines: str) -> str:
    # The service of PAM is named after the program that is started.
    service = f"sshd-{folder.name}-{os.getpid()}"
    link = folder / service
    link.symlink_to(program)
    Path("/etc/pam.d", service).write_text(lines)
    return str(link)


def password_and_code(folder: Path, *, in_one: bool = False) -> str:
    """Lines of PAM that ask for password and one-time password, after one another or in one answer."""
    secret = folder / "totp"
    secret.touch(mode=0o600)
    secret.chmod(0o600)
    secret.write_text(f'{TOTP_SECRET}\n" TOTP_AUTH\n" WINDOW_SIZE 3\n')
    secret.chmod(0o400)
    module = f"pam_google_authenticator.so secret={secret} user=root allowed_perm=0400"
    ends = "account required pam_permit.so\nsession required pam_permit.so\n"
    if in_one:
        return (
            f"auth required {module} forward_pass [authtok_prompt=Password + OTP: ]\n"
            f"auth required pam_unix.so use_first_pass\n{ends}"
        )
    return f"auth requisite pam_unix.so\nauth required {module}\n{ends}"


def one_time_password() -> str:
    """The one-time password of this moment."""
    return _run("oathtool", "--totp", "-b", TOTP_SECRET).strip()


def _make_account() -> None:
    ensure_user(ACCOUNT)
    # An account without a password is locked: even a key is refused then.
    subprocess.run(["chpasswd"], input=f"{ACCOUNT}:{PASSWORD}", text=True, check=True, timeout=30)


def _run(*command: str) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command} failed: {done.stderr}"
    return done.stdout


@contextlib.contextmanager
def ssh_site(folder: Path) -> Iterator[SshSite]:
    """A prepared site that ends afterwards, with everything it started."""
    site = SshSite(folder)
    site.prepare()
    try:
        yield site
    finally:
        services = [f"sshd-{server.folder.name}-{os.getpid()}" for server in site.servers.values()]
        site.stop()
        for service in services:
            Path("/etc/pam.d", service).unlink(missing_ok=True)
        end_masters(folder)


@contextlib.contextmanager
def site_or_skip(name: str) -> Iterator[SshSite]:
    """A site in a new folder of this name, which goes with it; the test is skipped where no sshd can be had."""
    import pytest  # benchmarks have sites too, and need no tests

    try:
        require_sshd()
    except NotPossibleHere as reason:
        pytest.skip(f"no sshd for tests: {reason}")
    folder = server_folder(name)
    try:
        with ssh_site(folder) as site:
            yield site
    finally:
        shutil.rmtree(folder)


def end_masters(folder: Path) -> None:
    """End the connections of ssh whose configuration names this folder, and remove what they leave behind."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "ssh" and _config_names(process.info["cmdline"] or [], str(folder)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM)
    for config in private_folder().glob("ssh-*.config"):
        with contextlib.suppress(OSError):
            if str(folder) in config.read_text():
                for suffix in (".config", ".login", ".lock", ""):
                    config.with_suffix(suffix).unlink(missing_ok=True)


def _config_names(command: Sequence[str], text: str) -> bool:
    if any(text in word for word in command):
        return True
    for word, following in itertools.pairwise(command):
        if word == "-F":
            with contextlib.suppress(OSError):
                return text in Path(following).read_text()
    return False
