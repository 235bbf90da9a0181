"""`tow run` on a real Slurm: resources, states, ends."""

from collections.abc import Iterator

import pytest

from towline.testing.debian import NotPossibleHere
from towline.testing.slurm_cluster import SlurmCluster
from towline.testing.sshd import ACCOUNT, SshSite, site_or_skip
from towline.testing.terminal import Terminal, terminal

pytestmark = [pytest.mark.slurm, pytest.mark.ssh]


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    try:
        cluster = SlurmCluster(nodes=2, users=(ACCOUNT,))
    except NotPossibleHere as reason:
        pytest.skip(f"no Slurm for tests: {reason}")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def site(cluster: SlurmCluster) -> Iterator[SshSite]:
    with site_or_skip("slurm-run") as site:
        site.add("login", "\n".join(f"SetEnv {name}={value}" for name, value in cluster.environment.items()) + "\n")
        yield site


@pytest.fixture(scope="module")
def tow(tmp_path_factory: pytest.TempPathFactory, cluster: SlurmCluster, site: SshSite) -> Iterator[Terminal]:
    project = (
        "name: site\nworkers:\n  perlmutter:\n    type: remote\n    scheduler_type: slurm\n    host: login\n"
        f"    ssh_config: {site.config}\n    work_dir: {cluster.work_dir()}\n"
        "    resources: {partition: debug, time: '0:10:00'}\n"
    )
    with terminal(tmp_path_factory.mktemp("slurm") / "home", {"site.yaml": project}) as opened:
        yield opened


def test_the_example_of_the_guide(tow: Terminal) -> None:
    (tow.here / "sim.i").write_text("[Mesh]\n")
    (tow.here / "mesh").mkdir()
    (tow.here / "mesh" / "a.e").write_text("A\n")
    script = "cat sim.i mesh/a.e; echo $SLURM_JOB_NUM_NODES $SLURM_NTASKS $SLURM_JOB_NAME; echo 1 >a.csv; echo E >a.e"
    asked = ("--nodes", "1", "--ntasks", "4", "--time", "0:20:00")
    files = ("-i", "sim.i", "-i", "mesh/", "-o", "*.csv", "-o", "*.e", "--into", "got")
    done = tow("run", "-w", "perlmutter", *asked, *files, "--", "sh", "-c", script)
    first = done.stdout.splitlines()
    assert first[:2] == ["[Mesh]", "A"]
    assert first[2].startswith("1 4 sh")
    assert sorted(path.name for path in (tow.here / "got").iterdir()) == ["a.csv", "a.e"]
    assert "SUBMITTED" in done.stderr
    (job,) = tow.json("job", "list")
    asked_for = tow.json("job", "info", job["db_id"])["resources"]
    assert asked_for == {"partition": "debug", "nodes": 1, "processes": 4, "time_limit": "0:20:00"}


def test_exit_codes_and_refusals(tow: Terminal) -> None:
    assert "exit code 7" in tow("run", "sh", "-c", "exit 7", code=7).stderr
    refused = tow("run", "--account", "nobody", "true", code=3)
    assert "REMOTE_ERROR" in refused.stderr
    assert "account" in refused.stderr


def test_what_a_job_prints_is_seen_while_it_runs_and_stop_reaches_the_scheduler(
    tow: Terminal, cluster: SlurmCluster
) -> None:
    running = tow.begin("run", "sh", "-c", "echo begun; sleep 600")
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    job = tow.json("job", "list", "-m", "1")[0]["db_id"]
    queue_id = tow.json("job", "info", job)["remote"]["process_id"]
    tow("job", "stop", job)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 143
    assert "USER_STOPPED" in said
    cluster.wait_for_idle_nodes()
    assert queue_id not in cluster.run("squeue --noheader --format=%i").stdout
