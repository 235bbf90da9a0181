"""Logins as sites have them: aliases, jump hosts, certificates, agents, one-time passwords, masters of the user."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from towline.errors import ConnectionFailed, ConnectionReason, LoginNeeded
from towline.testing.debian import NotPossibleHere
from towline.testing.sshd import PASSWORD, SshSite, one_time_password, password_and_code, require_sshd
from towline.testing.waiting import wait_until
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.ssh_settings import SshSettings

pytestmark = pytest.mark.ssh

Connect = Callable[..., SshTransport]

_LOG_IN = """\
import sys
from pathlib import Path
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.ssh_settings import SshSettings
SshTransport("alcf", SshSettings("mfa", config_file=Path(sys.argv[1]))).login(timeout_seconds=60)
print("logged in", flush=True)
"""


@pytest.fixture(params=[False, True], ids=["two prompts", "one prompt"])
def mfa(request: pytest.FixtureRequest, site: SshSite) -> SshSite:
    """A site that asks for a password and a one-time password."""
    try:
        require_sshd(one_time_passwords=True)
    except NotPossibleHere as reason:
        pytest.skip(f"no one-time passwords for tests: {reason}")
    site.add("mfa", pam=password_and_code(site.folder, in_one=request.param))
    return site


def answer(question: str) -> str:
    if "OTP" in question:
        return PASSWORD + one_time_password()
    return PASSWORD if "assword" in question else one_time_password()


def test_who_has_not_logged_in_is_told_at_once(mfa: SshSite, connect: Connect) -> None:
    transport = connect("mfa")
    with pytest.raises(LoginNeeded, match="one-time password; type `tow worker login cluster`") as failure:
        transport.run("echo never")
    assert failure.value.reason is ConnectionReason.LOGIN_NEEDED


def test_after_one_login_every_process_goes_on(mfa: SshSite, connect: Connect) -> None:
    runner = connect("mfa")
    with pytest.raises(LoginNeeded):
        runner.run("echo never")
    person = connect("mfa")
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return answer(question)

    person.login(ask)
    person.close()
    assert 1 <= len(questions) <= 2
    # It waits for nothing: the runner sees the connection although its last try was a moment ago.
    assert runner.run("echo on").stdout == b"on\n"
    runner.close()
    program = _LOG_IN.replace(".login(timeout_seconds=60)", ".run('echo from elsewhere')")
    done = subprocess.run(
        [sys.executable, "-c", program, str(mfa.config)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert runner.connections == 0


def test_a_wrong_answer_is_asked_once_and_refused(mfa: SshSite, connect: Connect) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "wrong"

    with pytest.raises(LoginNeeded):
        connect("mfa").login(ask)
    assert len(questions) <= 2


def test_a_dropped_login_is_asked_for_again(mfa: SshSite, connect: Connect) -> None:
    transport = connect("mfa")
    transport.login(answer)
    assert transport.run("echo on").stdout == b"on\n"
    mfa.servers["mfa"].cut()

    def refused() -> bool:
        try:
            transport.run("echo on")
        except LoginNeeded:
            return True
        except Exception:
            return False
        return False

    wait_until(refused)
    transport.login(answer)
    assert transport.run("echo on").stdout == b"on\n"


def test_a_person_at_a_terminal_is_asked_by_ssh_itself(mfa: SshSite, connect: Connect) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", _LOG_IN, str(mfa.config)])
    shown = ""
    answered = 0

    def talked() -> bool:
        nonlocal shown, answered
        try:
            shown += os.read(terminal, 4096).decode()
        except OSError:
            return True
        questions = [part for part in shown.replace("\r", "").split(": ")[:-1] if "(" in part]
        # ssh drops what is typed before it asks.
        while answered < len(questions):
            answered += 1
            os.write(terminal, answer(questions[answered - 1].splitlines()[-1]).encode() + b"\n")
        return "logged in" in shown or "Error" in shown

    wait_until(talked, 60)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert "logged in" in shown, shown
    assert os.waitstatus_to_exitcode(status) == 0
    assert connect("mfa").run("echo on").stdout == b"on\n"


def test_through_a_jump_host_of_the_users_configuration(site: SshSite, connect: Connect) -> None:
    jump = site.add("jump", "ForceCommand /bin/false\nPermitTTY no")
    site.add("inner")
    site.write_config("Host inner\n  ProxyJump jump\n")
    assert connect("inner").run("echo on").stdout == b"on\n"
    assert "Accepted publickey" in jump.log


def test_through_a_gateway_of_the_worker(site: SshSite, connect: Connect) -> None:
    jump = site.add("jump", "ForceCommand /bin/false")
    inner = site.add("inner")
    site.write_config(lines=[])
    gateway = SshSettings("127.0.0.1", port=jump.port, key_filename=(str(site.client / "key"),))
    transport = connect("localhost", port=inner.port, gateway=gateway, key_filename=(str(site.client / "key"),))
    site.write_config(lines=["HostKeyAlias testhost"])
    key = " ".join((site.folder / "host.pub").read_text().split()[:2])
    (site.client / "known_hosts").write_text(f"testhost {key}\n")
    assert transport.run("echo on").stdout == b"on\n"
    assert jump.log.count("Accepted publickey") == 1


def test_through_a_command(site: SshSite, connect: Connect) -> None:
    site.add("jump")
    inner = site.add("inner")
    gateway = f"ssh -F {site.config} jump -W 127.0.0.1:{inner.port}"
    assert connect("inner", gateway=gateway).run("echo on").stdout == b"on\n"


def test_user_port_and_key_of_the_worker_go_before_the_configuration(site: SshSite, connect: Connect) -> None:
    server = site.add("plain")
    text = site.config.read_text().replace(f"Port {server.port}", "Port 1")
    site.config.write_text(text.replace(f"IdentityFile {site.client / 'key'}", ""))
    transport = connect("plain", port=server.port, key_filename=(str(site.client / "key"),))
    assert transport.run("echo on").stdout == b"on\n"


def test_an_agent_and_match_blocks_are_honoured(
    site: SshSite, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = site.add("plain")
    key = site.client / "key"
    known = site.client / "known_hosts"
    site.config.write_text(
        f'Match originalhost agent exec "true"\n  HostName 127.0.0.1\n  Port {server.port}\n  User towjobs\n'
        f"  UserKnownHostsFile {known}\n"
    )
    agent = subprocess.run(
        ["ssh-agent", "-s", "-a", str(site.client / "agent")], capture_output=True, text=True, check=True
    )
    pid = int(agent.stdout.partition("SSH_AGENT_PID=")[2].partition(";")[0])
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(site.client / "agent"))
        subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True)
        key.rename(site.client / "moved")
        assert connect("agent").run("echo on").stdout == b"on\n"
    finally:
        os.kill(pid, 15)


def test_a_master_of_the_user_is_used_and_left_alone(mfa: SshSite, connect: Connect, tmp_path: Path) -> None:
    mfa.write_config(f"Host mfa\n  ControlPath {mfa.client}/own-%C\n")
    person = connect("mfa")
    person.login(answer)
    os.rename(person._connection.socket, next_path := mfa.client / "own")  # noqa: PTH104
    mfa.write_config(f"Host mfa\n  ControlPath {next_path}\n")
    runner = connect("mfa")
    assert runner.run("echo on").stdout == b"on\n"
    runner.close()
    runner.disconnect()
    assert runner.connections == 0
    assert connect("mfa").run("echo on").stdout == b"on\n"
    subprocess.run(["ssh", "-S", str(next_path), "-O", "exit", "mfa"], capture_output=True, check=True)


def test_what_the_runner_opened_ends_with_it(site: SshSite, connect: Connect) -> None:
    site.add("plain")
    transport = connect("plain")
    transport.run(":")
    socket = transport._connection.socket
    assert socket.exists()
    assert socket.parent.stat().st_mode & 0o077 == 0
    assert len(str(socket)) < 80
    transport.close()
    wait_until(lambda: not socket.exists())
    assert transport.run("echo on").stdout == b"on\n"


@pytest.mark.parametrize("host", ["-oProxyCommand=touch x", "a b", "", "a\nProxyCommand x", "*", "!a", "a,b"])
def test_a_host_that_means_something_else_to_ssh_is_refused(host: str) -> None:
    with pytest.raises(Exception, match="host is"):
        SshSettings(host)


def test_the_language_here_does_not_matter(site: SshSite, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    site.add("plain", "AcceptEnv LANG LC_*")
    site.write_config(lines=["SendEnv LANG LC_*"])
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TERM", "nonsense")
    assert connect("plain").run('echo "[$LC_ALL]"').stdout == b"[]\n"


def test_nothing_there_is_said_when_ssh_is_missing(
    site: SshSite, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site.add("plain")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConnectionFailed, match="install the OpenSSH client"):
        connect("plain").run("echo never")
