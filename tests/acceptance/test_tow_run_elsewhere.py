"""`tow run` with inputs that are on another worker than the one the command runs on."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.testing.debian import NotPossibleHere, server_folder
from towline.testing.sshd import ACCOUNT, require_sshd, ssh_site
from towline.testing.terminal import Terminal, terminal

pytestmark = pytest.mark.ssh

_MESH = os.urandom(200_000)


@pytest.fixture(scope="module")
def tow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    try:
        require_sshd()
    except NotPossibleHere as reason:
        pytest.skip(f"no sshd for tests: {reason}")
    folder = server_folder("elsewhere")
    try:
        with ssh_site(folder) as site:
            project = "name: site\nworkers:\n"
            for name in ("here", "there"):
                site.add(name)
                (folder / name).mkdir()
                shutil.chown(folder / name, ACCOUNT)
                project += (
                    f"  {name}:\n    type: remote\n    host: {name}\n    ssh_config: {site.config}\n"
                    f"    work_dir: {folder / name}\n"
                )
            project += f"  own:\n    type: local\n    work_dir: {tmp_path_factory.mktemp('own')}\n"
            with terminal(tmp_path_factory.mktemp("elsewhere") / "home", {"site.yaml": project}) as opened:
                yield opened
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A folder on the host that the workers lead to, which the account can read."""
    folder = server_folder("data")
    (folder / "odd [1]*.e").write_bytes(_MESH)
    (folder / "case").mkdir()
    (folder / "case" / "a.i").write_text("small\n")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("worker", ["there", "own"])
def test_a_file_and_a_folder_of_another_worker_come_along(
    tow: Terminal, data: Path, worker: str, tmp_path: Path
) -> None:
    inputs = ("-i", f"mesh.e=here:{data}/odd [1]*.e", "-i", f"here:{data}/case", "-o", "copy.e")
    script = "cat case/a.i; cat mesh.e >copy.e; ls"
    done = tow("run", "-w", worker, *inputs, "--into", str(tmp_path / "got"), "--", "sh", "-c", script)
    assert done.stdout.startswith("small\n")
    assert (tmp_path / "got" / "copy.e").read_bytes() == _MESH


def test_one_of_the_same_worker_is_a_link(tow: Terminal, data: Path) -> None:
    done = tow("run", "-w", "here", "-i", f"here:{data}/case", "--", "readlink", "case")
    assert done.stdout == f"{data}/case\n"


def test_what_is_not_there_is_refused(tow: Terminal, data: Path) -> None:
    refused = tow("run", "-w", "there", "-i", f"here:{data}/nothing", "--", "true", code=1)
    assert f"there is no {data}/nothing on the worker here" in " ".join(refused.stderr.split())
