"""Workers at sites where a person has to log in, and certificates that lapse: jobs wait, and go on by themselves."""

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from towline import command
from towline.testing.debian import JOB_USER, NotPossibleHere
from towline.testing.remote_project import RemoteProject
from towline.testing.sshd import PASSWORD, SshSite, one_time_password, password_and_code, require_sshd
from towline.testing.waiting import wait_until
from towline.workers.transports.ssh import SshTransport
from towline.workers.transports.ssh_settings import SshSettings

pytestmark = pytest.mark.ssh


@pytest.fixture
def work_dir(sshd: SshSite, tmp_path: Path) -> Path:
    folder = sshd.folder / tmp_path.name
    folder.mkdir()
    shutil.chown(folder, JOB_USER)
    return folder


def log_in(name: str) -> str:
    """Type `tow worker login` on a terminal, and answer what it asks."""
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "towline.interfaces.cli.main", "worker", "login", name],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        # ssh asks on the terminal that controls its session.
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
    )
    os.close(terminal)
    said, answered = b"", 0
    while process.poll() is None or not said.endswith(b"\n"):
        try:
            data = os.read(person, 4096)
        except OSError:
            break
        if not data:
            break
        said += data
        questions = said.count(b"assword:") + said.count(b"code:")
        if questions > answered:
            answered = questions
            word = PASSWORD if said.rstrip().endswith(b"assword:") else one_time_password()
            os.write(person, f"{word}\n".encode())
    process.wait(60)
    os.close(person)
    return said.decode(errors="replace")


def test_jobs_wait_for_a_login_and_go_on_after_it(
    sshd: SshSite, work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        require_sshd(one_time_passwords=True)
    except NotPossibleHere as reason:
        pytest.skip(f"no one-time passwords for tests: {reason}")
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    server = sshd.add("mfa", pam=password_and_code(sshd.folder))
    worker = {"type": "remote", "host": "mfa", "ssh_config": str(sshd.config), "work_dir": str(work_dir)}
    project = RemoteProject(tmp_path / "home", {"polaris": worker})
    ids = project.submit(*[command(["echo", str(number)]) for number in range(3)])
    with project.runner():
        wait_until(lambda: "login needed" in project.tow("worker", "list"), 30, "the need of a login")
        said = project.tow("job", "list")
        assert "3 jobs wait for the worker polaris" in said
        assert "tow worker login polaris" in said
        assert "login needed" in project.tow("worker", "list", "--json")
        assert set(project.states().values()) == {"CHECKED_OUT"}
        told = log_in("polaris")
        assert "connected to mfa" in told, told
        wait_until(lambda: set(project.states().values()) == {"COMPLETED"}, 30, "the end of all jobs")
        # The connection drops: jobs wait once more, and nothing fails.
        server.cut()
        more = project.submit(command(["echo", "more"]))
        wait_until(lambda: "login needed" in project.tow("worker", "list"), 30, "the need of another login")
        assert project.states()[more[0]] == "CHECKED_OUT"
        log_in("polaris")
        wait_until(lambda: project.states()[more[0]] == "COMPLETED", 30, "the end of the last job")
        assert len(ids) == 3
        SshTransport("polaris", SshSettings("mfa", config_file=sshd.config)).disconnect()


def test_a_lapsed_certificate_is_named_and_a_new_one_is_noticed(
    sshd: SshSite, work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    server = sshd.add("nersc")
    own = f"Host nersc\n  IdentityFile {sshd.client}/certified\n  CertificateFile {sshd.client}/certified-cert.pub\n"
    text = own + sshd.config.read_text().replace(f"IdentityFile {sshd.client / 'key'}", "")
    config = sshd.client / "config-nersc"
    config.write_text(text)
    sshd.certify(-10800)
    worker = {"type": "remote", "host": "nersc", "ssh_config": str(config), "work_dir": str(work_dir)}
    project = RemoteProject(tmp_path / "home", {"perlmutter": worker})
    (db_id,) = project.submit(command(["true"]))
    with project.runner():
        wait_until(lambda: "login needed" in project.tow("worker", "list"), 30, "the refusal")
        said = " ".join(project.tow("worker", "list").split())
        assert "SSH authentication failed for perlmutter: certificate expired 3 h ago" in said
        assert "tow worker login perlmutter" in said
        checked = " ".join(project.tow("worker", "check", "perlmutter", expected=[1]).split())
        assert "certificate expired 3 h ago" in checked
        assert project.states()[db_id] == "CHECKED_OUT"
        sshd.certify(3600)
        wait_until(lambda: project.states()[db_id] == "COMPLETED", 40, "the end of the job")
        assert "the certificate is valid for" in project.tow("worker", "check", "perlmutter", expected=[0, 1])
    assert server.process is not None
