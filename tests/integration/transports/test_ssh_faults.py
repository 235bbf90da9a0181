"""What goes wrong between here and a host: every fault has its name, nothing hangs, and it goes on by itself."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from towline.errors import ConnectionFailed, ConnectionReason, LoginNeeded, OutcomeUnknown, TransferFailed
from towline.testing.flaky_proxy import FlakyProxy, flaky_proxy
from towline.testing.sshd import SshSite
from towline.testing.waiting import wait_until
from towline.workers.transports.shell_text import Shell
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.transport import Selection, Tree

pytestmark = pytest.mark.ssh

Connect = Callable[..., SshTransport]
#: Much less than anything that waits for a person or for TCP would take.
_AT_ONCE_SECONDS = 12.0


@pytest.fixture
def proxy(site: SshSite) -> Iterator[FlakyProxy]:
    """A proxy in front of a server; the alias `far` leads through it."""
    server = site.add("plain")
    with flaky_proxy(server.port) as proxy:
        site.know(proxy.port)
        site.write_config(f"Host far\n  HostName 127.0.0.1\n  Port {proxy.port}\n  ServerAliveInterval 1\n")
        yield proxy


def works_again(transport: SshTransport) -> bool:
    try:
        return transport.run("echo on").stdout == b"on\n"
    except ConnectionFailed:
        return False


OPERATIONS = ("run", "send", "fetch", "fetch_file", "send_file", "tail")


def operate(transport: SshTransport, operation: str, place: str, folder: Path) -> None:
    """Do something that takes megabytes, or waits."""
    big = folder / "big"
    if operation == "run":
        transport.run('touch "$1/ran"; head -c 3000000 /dev/zero; sleep 30', arguments=[place])
    elif operation == "send":
        transport.send(place, [Tree("sent", big)])
    elif operation == "send_file":
        transport.send_file(big, f"{place}/sent")
    elif operation == "fetch":
        transport.fetch([Selection(f"{place}/there", folder / "got")])
    elif operation == "fetch_file":
        transport.fetch_file(f"{place}/there/big", folder / "got-file")
    else:
        transport.tail({f"{place}/there/big": 0}, limit_bytes=3_000_000)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_connection_cut_in_the_middle_leaves_the_outcome_unknown_and_goes_on(
    connect: Connect, proxy: FlakyProxy, account_folder: Path, tmp_path: Path, operation: str
) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "big").write_bytes(data)
    transport = connect("far")
    transport.send(str(account_folder), [Tree("there", {"big": data})])
    proxy.cut_after(1_000_000)
    with pytest.raises(OutcomeUnknown, match=r"may have been done|not known"):
        operate(transport, operation, str(account_folder), tmp_path)
    assert not (tmp_path / "got/big").exists()
    assert not (tmp_path / "got-file").exists()
    wait_until(lambda: works_again(transport), what="the connection")
    if operation != "run":
        operate(transport, operation, str(account_folder), tmp_path)
        arrived = {"send": account_folder / "sent", "send_file": account_folder / "sent", "fetch": tmp_path / "got/big"}
        arrived["fetch_file"] = tmp_path / "got-file"
        assert operation == "tail" or arrived[operation].read_bytes() == data
    left = transport.run('ls -A "$1"', arguments=[str(account_folder)]).stdout.decode().split()
    assert set(left) <= {"there", "sent", "ran"} or wait_until(
        lambda: set(os.listdir(account_folder)) <= {"there", "sent", "ran"}  # noqa: PTH208
    )


@pytest.mark.parametrize("operation", ["run", "send", "fetch"])
def test_a_silent_network_ends_the_operation_in_time(
    connect: Connect, proxy: FlakyProxy, account_folder: Path, tmp_path: Path, operation: str
) -> None:
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    transport = connect("far")
    transport.send(str(account_folder), [Tree("there", {"big": bytes(3_000_000)})])
    proxy.blackhole()
    begun_at = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        operate(transport, operation, str(account_folder), tmp_path)
    # Three signs of life, one second apart, are missed.
    assert time.monotonic() - begun_at < _AT_ONCE_SECONDS
    proxy.blackhole(False)
    wait_until(lambda: works_again(transport), 60, "the connection")


def test_a_silent_network_at_the_login_times_out(connect: Connect, proxy: FlakyProxy) -> None:
    proxy.blackhole()
    transport = connect("far", connect_timeout_seconds=1)
    begun_at = time.monotonic()
    with pytest.raises(ConnectionFailed) as failure:
        transport.run("echo never")
    assert time.monotonic() - begun_at < _AT_ONCE_SECONDS
    assert failure.value.reason is ConnectionReason.TIMED_OUT
    assert "cluster" in str(failure.value)


def test_a_server_that_ends_and_comes_back_is_found_again(site: SshSite, connect: Connect) -> None:
    server = site.add("plain")
    transport = connect("plain")
    assert transport.run("echo 1").stdout == b"1\n"
    server.cut()
    server.stop()
    with pytest.raises((ConnectionFailed, OutcomeUnknown)):
        transport.run("echo 2")
    with pytest.raises(ConnectionFailed) as failure:
        transport.run("echo 2")
    assert failure.value.reason is ConnectionReason.REFUSED
    assert failure.value.transient
    trips = transport.round_trips
    with pytest.raises(ConnectionFailed):
        transport.run("echo 2")
    assert transport.round_trips <= trips + 1
    server.start()
    wait_until(lambda: works_again(transport), what="the connection")
    assert transport.connections == 2


def test_what_ran_when_the_connection_was_cut_may_have_happened(
    site: SshSite, connect: Connect, account_folder: Path
) -> None:
    server = site.add("plain")
    transport = connect("plain")
    errors: list[Exception] = []

    def work() -> None:
        try:
            transport.run('touch "$1/begun"; sleep 1; touch "$1/done"', arguments=[str(account_folder)])
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until((account_folder / "begun").exists)
    server.cut()
    thread.join(30)
    assert isinstance(errors[0], OutcomeUnknown)
    wait_until((account_folder / "done").exists)


def test_a_key_that_is_not_known_there_needs_a_login(site: SshSite, connect: Connect) -> None:
    site.add("plain")
    site.write_config(f"Host plain\n  IdentityFile {site.client / 'stranger'}\n")
    text = site.config.read_text().replace(f"IdentityFile {site.client / 'key'}", "")
    site.config.write_text(text)
    transport = connect("plain")
    begun_at = time.monotonic()
    with pytest.raises(LoginNeeded) as failure:
        transport.run("echo never")
    assert time.monotonic() - begun_at < _AT_ONCE_SECONDS
    assert failure.value.reason is ConnectionReason.AUTHENTICATION_REFUSED
    assert "tow worker login cluster" in str(failure.value)
    # The key is let in, and a person changes something here: it goes on without waiting.
    (site.folder / "authorized_keys").write_text((site.client / "stranger.pub").read_text())
    os.utime(site.client / "stranger")
    assert transport.run("echo on").stdout == b"on\n"


def test_a_lapsed_certificate_is_named_with_its_age_and_goes_on_when_it_is_renewed(
    site: SshSite, connect: Connect
) -> None:
    site.add("perlmutter")
    certified = site.client / "certified"
    site.write_config(f"Host perlmutter\n  IdentityFile {certified}\n  CertificateFile {certified}-cert.pub\n")
    site.config.write_text(site.config.read_text().replace(f"IdentityFile {site.client / 'key'}", ""))
    site.certify(-3 * 3600)
    transport = connect("perlmutter")
    with pytest.raises(LoginNeeded) as failure:
        transport.run("echo never")
    assert failure.value.reason is ConnectionReason.CERTIFICATE_EXPIRED
    assert "certificate expired 3 h ago" in str(failure.value)
    assert "tow worker login cluster" in str(failure.value)
    connections = site.servers["perlmutter"].log.count("Connection from")
    for _ in range(5):
        with pytest.raises(LoginNeeded):
            transport.run("echo never")
    # Sites lock accounts: a refused login is not repeated before something has changed.
    assert site.servers["perlmutter"].log.count("Connection from") == connections
    site.certify(3600)
    assert transport.run("echo on").stdout == b"on\n"
    health = transport.check()
    assert health.connected
    assert health.certificate_seconds_left is not None
    assert 3000 < health.certificate_seconds_left <= 3600


def test_an_unknown_host_key_is_refused(site: SshSite, connect: Connect) -> None:
    site.add("plain")
    (site.client / "known_hosts").write_text("")
    with pytest.raises(ConnectionFailed) as failure:
        connect("plain").run("echo never")
    assert failure.value.reason is ConnectionReason.HOST_KEY_UNKNOWN


@pytest.mark.parametrize("checking", ["ask", "yes", "no"])
def test_a_changed_host_key_is_refused_whatever_the_configuration_says(
    site: SshSite, connect: Connect, checking: str
) -> None:
    site.add("plain", host_key="other_host")
    site.write_config(lines=[f"StrictHostKeyChecking {checking}"])
    with pytest.raises(ConnectionFailed) as failure:
        connect("plain").run("echo never")
    assert failure.value.reason is ConnectionReason.HOST_KEY_CHANGED
    assert not failure.value.transient
    assert "ssh-keygen -R" in str(failure.value)


def test_a_name_that_nobody_knows(site: SshSite, connect: Connect) -> None:
    site.write_config()
    with pytest.raises(ConnectionFailed) as failure:
        connect("no-such-host.invalid").run("echo never")
    assert failure.value.reason is ConnectionReason.NAME_NOT_RESOLVED


def test_a_configuration_that_ssh_refuses(site: SshSite, connect: Connect) -> None:
    site.add("plain")
    site.config.write_text("NoSuchOption yes\n" + site.config.read_text())
    with pytest.raises(ConnectionFailed) as failure:
        connect("plain").run("echo never")
    assert failure.value.reason is ConnectionReason.MISCONFIGURED
    assert "nosuchoption" in str(failure.value).lower()


def test_a_shell_that_is_not_there(site: SshSite, connect: Connect) -> None:
    site.add("plain")
    with pytest.raises(ConnectionFailed, match="runs no scripts with 'nosuchshell'") as failure:
        connect("plain", shell=Shell("nosuchshell")).run("echo never")
    assert failure.value.reason is ConnectionReason.MISCONFIGURED


def test_a_host_with_few_sessions_serves_all_threads_and_no_second_connection_is_opened(
    site: SshSite, connect: Connect
) -> None:
    server = site.add("tight", "MaxSessions 2")
    transport = connect("tight")
    transport.run(":")
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.append(transport.run("sleep 0.3; echo on").stdout)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [b"on\n"] * 8
    assert server.log.count("Accepted publickey") == 1


def test_a_noisy_shell_does_not_get_into_the_answers(
    site: SshSite, connect: Connect, account_folder: Path, tmp_path: Path
) -> None:
    site.add("noisy", "SetEnv BASH_ENV=/dev/null TOWLINE_NOISE=1")
    noise = 'if [ -n "$TOWLINE_NOISE" ]; then echo WELCOME; echo WARNING >&2; cat >/dev/null & fi\n'
    saved = {}
    for name in (".bashrc", ".profile", ".bash_logout"):
        path = site.home / name
        saved[path] = path.read_text() if path.exists() else None
        path.write_text(f"{noise if name != '.bash_logout' else 'echo BYE'}\n{saved[path] or ''}")
    try:
        transport = connect("noisy")
        result = transport.run("cat; echo error >&2; exit 3", stdin=b"data")
        assert (result.exit_code, result.stdout, result.stderr) == (3, b"data", b"error\n")
        transport.send(str(account_folder), [Tree("job", {"file": b"\0" * 100_000})])
        (fetched,) = transport.fetch([Selection(f"{account_folder}/job", tmp_path)])
        assert dict(fetched.files) == {"file": 100_000}
    finally:
        for path, text in saved.items():
            if text is None:
                path.unlink()
            else:
                path.write_text(text)


def test_a_full_disk_there_is_told_and_nothing_is_left(connect: Connect, site: SshSite, tmp_path: Path) -> None:
    site.add("plain")
    (tmp_path / "big").write_bytes(bytes(1 << 20))
    transport = connect("plain")
    with pytest.raises(TransferFailed, match="cannot be written"):
        transport.send("/dev/full/x", [Tree("a", tmp_path / "big")])
    with pytest.raises(TransferFailed, match="Permission denied"):
        transport.send("/root/towline-test", [Tree("a", b"1")])
    with pytest.raises(TransferFailed, match="Permission denied"):
        transport.send_file(tmp_path / "big", "/usr/towline-test")


def test_a_stale_socket_is_cleaned_up(site: SshSite, connect: Connect) -> None:
    site.add("plain")
    transport = connect("plain")
    transport.run(":")
    socket = transport._connection.socket
    os.rename(socket, f"{socket}.gone")  # noqa: PTH104
    transport._connection._local("-S", f"{socket}.gone", "-O", "exit", "--", "plain")
    socket.touch()
    assert transport.run("echo on").stdout == b"on\n"
