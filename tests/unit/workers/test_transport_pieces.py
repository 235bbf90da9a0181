"""Pieces of the transports: marks in streams, diagnosis, certificates, configuration, streams that mean harm."""

import io
import os
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.errors import ConfigurationError, ConnectionReason, LoginNeeded, TransferFailed
from towline.workers.transports.certificates import Certificate, duration_text, read_certificates
from towline.workers.transports.channel import _Stream
from towline.workers.transports.fetching import Unpacking
from towline.workers.transports.shell_text import Marks, path_text, pattern_text
from towline.workers.transports.ssh_diagnosis import Place, diagnosis, reason_of
from towline.workers.transports.ssh_settings import SshSettings, configuration_text
from towline.workers.transports.transport import Fetched, Selection

MARKS = Marks.of("0123")
PLACE = Place("perlmutter", "perlmutter", "perlmutter.nersc.gov", "ada")


@given(
    noise=st.binary(max_size=60),
    payload=st.lists(st.sampled_from([b"\n", b"\n<tow", b"\n<towline 0123 end", b"x", b"\0\0"])).map(b"".join),
    cuts=st.lists(st.integers(1, 40), min_size=1),
)
def test_marks_are_found_however_the_stream_is_cut(noise: bytes, payload: bytes, cuts: list[int]) -> None:
    whole = noise + MARKS.begin + b"/home/ada\n" + payload + MARKS.end + b"17\nbye"
    stream = _Stream(MARKS)
    at = 0
    while at < len(whole):
        size = cuts[at % len(cuts)]
        stream.feed(whole[at : at + size])
        at += size
    assert (stream.begin_text, stream.end_text) == (b"/home/ada", b"17")
    assert b"".join(stream.pieces) == payload
    assert stream.size == len(payload)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("ssh: connect to host h port 22: Connection refused", ConnectionReason.REFUSED),
        ("ssh: connect to host h port 22: No route to host", ConnectionReason.UNREACHABLE),
        ("ssh: connect to host h port 22: Connection timed out", ConnectionReason.TIMED_OUT),
        ("Connection timed out during banner exchange", ConnectionReason.TIMED_OUT),
        ("ssh: Could not resolve hostname h: Name or service not known", ConnectionReason.NAME_NOT_RESOLVED),
        ("Host key verification failed.", ConnectionReason.HOST_KEY_UNKNOWN),
        ("REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.", ConnectionReason.HOST_KEY_CHANGED),
        ("a@h: Permission denied (publickey).", ConnectionReason.AUTHENTICATION_REFUSED),
        ("Received disconnect: Too many authentication failures", ConnectionReason.AUTHENTICATION_REFUSED),
        ("kex_exchange_identification: Connection closed by remote host", ConnectionReason.TOO_MANY_SESSIONS),
        ("session request failed: Session open refused by peer", ConnectionReason.TOO_MANY_SESSIONS),
        ("config: line 1: Bad configuration option: nosuch", ConnectionReason.MISCONFIGURED),
        ("@ WARNING: UNPROTECTED PRIVATE KEY FILE! @\nPermission denied (publickey).", ConnectionReason.MISCONFIGURED),
        ("Connection to h closed by remote host.", ConnectionReason.CLOSED),
        ("", ConnectionReason.OTHER),
    ],
)  # fmt: skip
def test_what_ssh_says_is_read_as_a_reason(said: str, reason: ConnectionReason) -> None:
    assert reason_of(said) is reason
    error = diagnosis(said, PLACE)
    assert error.reason is reason or reason is ConnectionReason.AUTHENTICATION_REFUSED
    assert "perlmutter" in str(error)


def test_a_lapsed_certificate_of_nersc_says_what_to_run() -> None:
    lapsed = Certificate(Path("/home/ada/.ssh/nersc-cert.pub"), 1000.0)
    place = Place("perlmutter", "perlmutter", "perlmutter.nersc.gov", "ada", [lapsed])
    error = diagnosis("ada@h: Permission denied (publickey).", place, now=1000.0 + 3 * 3600)
    assert isinstance(error, LoginNeeded)
    assert str(error) == (
        "SSH authentication failed for perlmutter: certificate expired 3 h ago; run sshproxy.sh -u ada, then "
        "`tow worker login perlmutter`"
    )
    assert not error.transient


def test_a_valid_certificate_is_not_blamed() -> None:
    certificates = [Certificate(Path("old"), 1.0), Certificate(Path("new"), None)]
    error = diagnosis("Permission denied (publickey).", Place("w", "h", "h", "ada", certificates))
    assert error.reason is ConnectionReason.AUTHENTICATION_REFUSED


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (90, "2 min"), (3 * 3600, "3 h"), (30 * 3600, "30 h"), (3 * 86400, "3 days")]
)
def test_durations_have_one_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Tokyo"])
def test_the_end_of_a_certificate_is_read_in_every_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    for name in ("authority", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    sign = ["ssh-keygen", "-q", "-s", str(tmp_path / "authority"), "-I", "x", "-n", "ada"]
    subprocess.run([*sign, "-V", "-5s:+1h", str(tmp_path / "key.pub")], check=True)
    (found,) = read_certificates([tmp_path / "key-cert.pub", tmp_path / "key.pub", tmp_path / "missing"])
    assert found.valid_until is not None
    assert abs(found.valid_until - time.time() - 3600) < 60


def test_the_users_configuration_wins_over_defaults_and_the_worker_over_both() -> None:
    gateway = SshSettings("gate", user="door", port=2222, key_filename=("/keys/gate key",))
    settings = SshSettings("ada@host", port=22022, gateway=gateway, keepalive_seconds=5, config_file=Path("/c/config"))
    text = configuration_text(settings, batch=True)
    lines = [line.strip() for line in text.splitlines()]
    order = ["BatchMode yes", "Host host", "User ada", "Port 22022", "ProxyJump gate", "Host gate", "User door"]
    order += ['IdentityFile "/keys/gate key"', 'Include "/c/config"', "ServerAliveInterval 15"]
    assert sorted(order, key=lines.index) == order
    # Otherwise it would be read for the gateway only.
    assert lines[lines.index('Include "/c/config"') - 1] == "Host *"


@pytest.mark.parametrize("gateway", ["-oProxyCommand=x y", "", "a\nb"])
def test_a_gateway_that_means_something_else_is_refused(gateway: str) -> None:
    with pytest.raises(ConfigurationError, match="gateway is"):
        SshSettings("host", gateway=gateway)


def test_a_host_is_not_its_own_gateway() -> None:
    with pytest.raises(ConfigurationError, match="itself"):
        configuration_text(SshSettings("host", gateway="host"), batch=True)


@given(st.text(st.sampled_from("ab*?[]!^-'\"$();&`\\ \n"), min_size=1, max_size=12))
def test_a_pattern_is_one_word_that_runs_nothing(pattern: str) -> None:
    script = f"set -f; set -- {pattern_text(pattern)}; echo $#"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=10, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_paths_are_absolute_or_in_the_home_folder() -> None:
    assert path_text("/a b") == "'/a b'"
    assert path_text("~/x;y") == "\"$HOME\"/'x;y'"
    assert path_text("~") == '"$HOME"'
    assert path_text("x") == '"$HOME"/x'


class Answer:
    """A worker that answers with a stream of its own making."""

    home = "/home/ada"

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._data.read(size)

    read_piece = read


def unpack(target: Path, fill: Callable[[tarfile.TarFile], None]) -> Fetched:
    """Unpack a stream as if it came for the folder /work/job."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        fill(archive)
    answer = Answer(data.getvalue())
    (fetched,) = Unpacking([Selection("/work/job", target)], answer, "token").run()  # type: ignore[arg-type]
    return fetched


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[tarfile.TarFile], None]:
    def fill(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        info.size = 4 if kind == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(b"evil"))

    return fill


@pytest.mark.parametrize(
    "name", ["work/job/../../etc/evil", "/work/other/evil", "evil", "work/jobs", "../evil", "./work/job/../evil"]
)
def test_what_was_not_asked_for_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TransferFailed):
        unpack(tmp_path / "a/b", member(name))
    assert not list(tmp_path.rglob("*evil*"))


def test_hard_links_are_refused_and_devices_skipped(tmp_path: Path) -> None:
    with pytest.raises(TransferFailed, match="hard link"):
        unpack(tmp_path / "a", member("work/job/x", tarfile.LNKTYPE, "/etc/passwd"))
    assert set(unpack(tmp_path / "a", member("work/job/null", tarfile.CHRTYPE)).skipped) == {"null"}


@pytest.mark.parametrize("link", ["/etc", "..", "../../x", "x/../../y", "x/..", "./../.."])
def test_links_that_lead_out_are_not_made(tmp_path: Path, link: str) -> None:
    fetched = unpack(tmp_path / "a", member("work/job/l", tarfile.SYMTYPE, link))
    assert set(fetched.skipped) == {"l"}
    assert not os.path.lexists(tmp_path / "a/l")


def test_nothing_is_written_through_a_link_of_the_same_stream(tmp_path: Path) -> None:
    def fill(archive: tarfile.TarFile) -> None:
        member("work/job/inside/x", tarfile.REGTYPE)(archive)
        member("work/job/l", tarfile.SYMTYPE, "inside")(archive)
        member("work/job/l/evil")(archive)

    with pytest.raises(TransferFailed, match="link"):
        unpack(tmp_path / "a", fill)
    assert not (tmp_path / "a/inside/evil").exists()


def test_a_stream_that_ends_in_the_middle_leaves_no_file(tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo("work/job/big")
        info.size = 100_000
        archive.addfile(info, io.BytesIO(bytes(100_000)))
    answer = Answer(data.getvalue()[:50_000])
    with pytest.raises(TransferFailed):
        Unpacking([Selection("/work/job", tmp_path)], answer, "token").run()  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
