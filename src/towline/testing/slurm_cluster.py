"""A real Slurm for tests: munge, MariaDB, slurmdbd, slurmctld and several slurmd on this machine, in one folder.

Everything listens on loopback, on ports that were free. Timers are short, so that what fails is seen soon. There is an
account `physics`, the quality of service `premium`, the partitions `debug` (30 minutes at most), `regular` and `spare`
(whose jobs make room for others), and two things that play GPUs on the last node.
"""

import secrets
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

import psutil

from towline.testing.debian import (
    JOB_USER,
    Daemon,
    ensure_user,
    free_ports,
    require,
    run_as,
    server_folder,
    wait_for_command,
)
from towline.testing.waiting import wait_until

PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "squeue", "sacct", "sacctmgr")
PACKAGES = ("munge", "mariadb-server", "slurmdbd", "slurmctld", "slurmd", "slurm-client")

#: What jobs may be charged to.
ACCOUNT = "physics"


class SlurmCluster:
    """A cluster that runs.

    Parameters
    ----------
    nodes
        How many slurmd.
    users
        Who may submit; made when there is no such user.
    """

    def __init__(self, *, nodes: int = 3, users: Sequence[str] = (JOB_USER,)) -> None:
        require(PROGRAMS, PACKAGES)
        self.users = tuple(users)
        for user in self.users:
            ensure_user(user)
        self.folder = server_folder("slurm")
        self.nodes = tuple(f"cn{number}" for number in range(1, nodes + 1))
        self._daemons: dict[str, Daemon] = {}
        ports = free_ports(3 + nodes)
        self._database_port, self._accounting_port, self._controller_port = ports[:3]
        self._node_ports = ports[3:]
        #: What a login on this cluster has in its environment.
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.stop()
            raise

    def run(self, text: str, *, user: str = "", timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run shell text on the login node, as a user of the cluster."""
        return run_as(user or self.users[0], text, self.environment, timeout_seconds=timeout_seconds)

    def administer(self, command: str) -> str:
        """Run a command as root, and give what it said.

        Raises
        ------
        AssertionError
            It failed.
        """
        done = run_as("root", command, self.environment)
        assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
        return done.stdout

    def work_dir(self, name: str = "work") -> Path:
        """A new folder that the first user owns, on what all nodes share."""
        folder = self.folder / "home" / name
        folder.mkdir(parents=True)
        shutil.chown(folder, self.users[0])
        return folder

    def start_controller(self) -> None:
        """Start slurmctld, and wait until it answers."""
        self._daemons["slurmctld"] = self._daemon("slurmctld", "slurmctld", "-D")
        self._wait("scontrol", "ping")

    def stop_controller(self) -> None:
        """Stop slurmctld; it keeps what it knows."""
        self._daemons["slurmctld"].stop()

    def start_accounting(self) -> None:
        """Start slurmdbd, and wait until it answers."""
        self._daemons["slurmdbd"] = self._daemon("slurmdbd", "slurmdbd", "-D")
        self._wait("sacctmgr", "--noheader", "--immediate", "list", "cluster")

    def stop_accounting(self) -> None:
        """Stop slurmdbd; sacct then fails."""
        self._daemons["slurmdbd"].stop()

    def start_node(self, name: str) -> None:
        """Start the slurmd of a node."""
        self._daemons[name] = self._daemon("slurmd", f"slurmd-{name}", "-D", "-N", name)

    def stop_node(self, name: str) -> None:
        """Kill the slurmd of a node, as a power cut would, but for the jobs on it."""
        self._daemons[name].stop(timeout_seconds=0)

    def wait_for_idle_nodes(self) -> None:
        """Wait until no job is anywhere."""

        def all_idle() -> bool:
            for daemon in self._daemons.values():
                daemon.check()
            idle = self.administer("sinfo --noheader --Node --states=idle --format=%N")
            return set(idle.split()) == set(self.nodes)

        wait_until(all_idle, 60, "idleness of all nodes")

    def stop(self) -> None:
        """End everything, jobs first, and remove the folder."""
        if self._is_up("slurmctld"):
            run_as("root", f"timeout 20 scancel --user={','.join(self.users)}", self.environment)
        for name in [*self.nodes, "slurmctld", "slurmdbd", "mariadbd", "munged"]:
            if name in self._daemons:
                self._daemons[name].stop()
        self._end_steps()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_up(self, name: str) -> bool:
        return name in self._daemons and self._daemons[name].is_alive()

    def _end_steps(self) -> None:
        """End the managers of jobs that outlived their slurmd: they have a log of ours open."""
        for process in psutil.process_iter(["name"]):
            if process.info["name"] != "slurmstepd":
                continue
            try:
                ours = any(file.path.startswith(str(self.folder)) for file in process.open_files())
                if ours:
                    process.kill()
            except psutil.Error:
                continue

    def _prepare(self) -> None:
        for name in ("log", "run", "controller", "spool", "mail", "home", "munge"):
            (self.folder / name).mkdir()
        for name in ("log", "run", "controller"):
            shutil.chown(self.folder / name, "slurm")
        shutil.chown(self.folder / "munge", "munge", "munge")
        (self.folder / "mail").chmod(0o1777)
        for name, text, owner, mode in (
            ("slurm.conf", self._slurm_settings(), "root", 0o644),
            ("slurmdbd.conf", self._accounting_settings(), "slurm", 0o600),
            ("gres.conf", self._gpu_settings(), "root", 0o644),
            # slurmd 22.05 looks for a cgroup plugin even when nothing of it is used, and dies where none is mounted.
            ("cgroup.conf", "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n", "root", 0o644),
            ("mailprog", _MAIL_PROGRAM, "root", 0o755),
        ):
            file = self.folder / name
            file.write_text(text)
            file.chmod(mode)
            shutil.chown(file, owner)
        if shutil.which("getent") and not _resolves(_host()):
            with Path("/etc/hosts").open("a") as hosts:
                hosts.write(f"127.0.0.1 {_host()}\n")

    def _start(self) -> None:
        self._start_munge()
        self._start_database()
        self.start_accounting()
        self._make_accounts()
        self.start_controller()
        for name in self.nodes:
            self.start_node(name)
        self.wait_for_idle_nodes()

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        shutil.chown(key, "munge", "munge")
        command = ["munged", "--foreground", f"--key-file={key}", f"--socket={folder}/socket"]
        command += [f"--pid-file={folder}/pid", f"--log-file={folder}/log", f"--seed-file={folder}/seed"]
        self._daemons["munged"] = Daemon(command, self.folder / "log" / "munged", user="munge")
        self._wait("munge", "--no-input", f"--socket={folder}/socket")

    def _start_database(self) -> None:
        data, socket_file = self.folder / "database", self.folder / "run" / "mysql"
        data.mkdir()
        shutil.chown(data, "mysql", "mysql")
        installation = ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db"]
        subprocess.run([*installation, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        (self.folder / "run").chmod(0o1777)
        # Nothing of it has to survive a crash.
        command = ["mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}", f"--socket={socket_file}"]
        command += [
            "--bind-address=127.0.0.1",
            f"--port={self._database_port}",
            "--skip-log-bin",
            "--skip-name-resolve",
        ]
        command += [f"--pid-file={self.folder}/run/mariadbd.pid", "--innodb-buffer-pool-size=64M"]
        command += ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0"]
        command += ["--innodb-lock-wait-timeout=900", "--performance-schema=OFF"]
        self._daemons["mariadbd"] = Daemon(command, self.folder / "log" / "mariadbd")
        client = ["mariadb", "--no-defaults", "--user=root", f"--socket={socket_file}", "--execute"]
        self._wait(*client, "select 1")
        statements = "create database slurm; create user slurm@'127.0.0.1' identified by 'slurm'; "
        statements += "grant all on slurm.* to slurm@'127.0.0.1'"
        subprocess.run([*client, statements], check=True, capture_output=True)

    def _make_accounts(self) -> None:
        # One process for all of it: each takes half a second to come up.
        lines = [
            "add cluster towline",
            "add qos premium set Priority=1000",
            "add qos scarce set MaxSubmitJobsPerUser=1",
        ]
        lines.append(f"add account {ACCOUNT} Description=tests Organization=tests cluster=towline")
        for user in (*self.users, "root"):
            lines.append(
                f"add user {user} account={ACCOUNT} cluster=towline qos=normal,premium,scarce "
                f"DefaultAccount={ACCOUNT} defaultqos=normal"
            )
        done = subprocess.run(
            ["sacctmgr", "--immediate"], input="\n".join(lines), text=True, capture_output=True, env=self._root()
        )
        assert ACCOUNT in self.administer("sacctmgr --noheader list account"), done.stdout + done.stderr

    def _daemon(self, program: str, log: str, *arguments: str) -> Daemon:
        return Daemon([program, *arguments], self.folder / "log" / f"{log}.said", self.environment)

    def _wait(self, *command: str) -> None:
        wait_for_command(command, self.environment, list(self._daemons.values()))

    def _root(self) -> dict[str, str]:
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self.environment}

    def _accounting_settings(self) -> str:
        return dedent(f"""\
            AuthType=auth/munge
            AuthInfo=socket={self.folder}/munge/socket
            DbdHost=localhost
            DbdAddr=127.0.0.1
            DbdPort={self._accounting_port}
            CommunicationParameters=NoInAddrAny
            SlurmUser=slurm
            DebugLevel=info
            LogFile={self.folder}/log/slurmdbd
            PidFile={self.folder}/run/slurmdbd.pid
            StorageType=accounting_storage/mysql
            StorageHost=127.0.0.1
            StoragePort={self._database_port}
            StorageUser=slurm
            StoragePass=slurm
            StorageLoc=slurm
            """)

    def _gpu_settings(self) -> str:
        # Any device will do: nothing here keeps a job from the others.
        line = f"NodeName={self.nodes[-1]} Name=gpu Type=a100 File="
        return f"AutoDetect=off\n{line}/dev/null\n{line}/dev/zero\n"

    def _slurm_settings(self) -> str:
        folder, host = self.folder, _host()
        lines = dedent(f"""\
            ClusterName=towline
            SlurmctldHost={host}(127.0.0.1)
            SlurmctldPort={self._controller_port}
            SlurmUser=slurm
            SlurmdUser=root
            AuthType=auth/munge
            CredType=cred/munge
            AuthInfo=cred_expire=5,socket={folder}/munge/socket
            CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
            StateSaveLocation={folder}/controller
            SlurmdSpoolDir={folder}/spool/%n
            SlurmctldPidFile={folder}/run/slurmctld.pid
            SlurmdPidFile={folder}/run/slurmd-%n.pid
            SlurmctldLogFile={folder}/log/slurmctld
            SlurmdLogFile={folder}/log/slurmd-%n
            SlurmctldDebug=info
            SlurmdDebug=info
            MailProg={folder}/mailprog
            MpiDefault=none
            SwitchType=switch/none
            ProctrackType=proctrack/linuxproc
            TaskPlugin=task/none
            JobAcctGatherType=jobacct_gather/linux
            JobAcctGatherFrequency=task=1
            JobAcctGatherParams=OverMemoryKill
            SchedulerType=sched/backfill
            SelectType=select/cons_tres
            SelectTypeParameters=CR_Core_Memory
            PreemptType=preempt/partition_prio
            PreemptMode=CANCEL
            KillWait=2
            CompleteWait=0
            MinJobAge=10
            InactiveLimit=0
            SlurmctldTimeout=10
            SlurmdTimeout=10
            MessageTimeout=10
            ReturnToService=2
            EnforcePartLimits=ALL
            MaxArraySize=10001
            MaxJobCount=20000
            AccountingStorageType=accounting_storage/slurmdbd
            AccountingStorageHost=127.0.0.1
            AccountingStoragePort={self._accounting_port}
            AccountingStoragePass={folder}/munge/socket
            AccountingStorageEnforce=associations,limits,qos,safe
            AccountingStorageTRES=gres/gpu
            JobCompType=jobcomp/none
            GresTypes=gpu
            SlurmdParameters=config_overrides
            DefMemPerCPU=100
            Licenses=scratch:2
            """)
        schedule = "batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1,bf_min_age_reserve=0"
        lines += f"SchedulerParameters={schedule},bf_continue,default_queue_depth=1000,bf_max_job_test=1000\n"
        shape = "CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN"
        lines += f"NodeName=DEFAULT {shape}\n"
        for name, port in zip(self.nodes, self._node_ports, strict=True):
            gpus = " Feature=cpu,gpu Gres=gpu:a100:2" if name == self.nodes[-1] else " Feature=cpu"
            lines += f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}{gpus}\n"
        everywhere = f"Nodes={','.join(self.nodes)} State=UP"
        kept = f"{everywhere} PreemptMode=OFF"
        lines += f"PartitionName=debug {kept} Default=YES MaxTime=00:30:00 DefaultTime=00:05:00 PriorityTier=10\n"
        lines += f"PartitionName=regular {kept} MaxTime=2-00:00:00 DefaultTime=01:00:00 PriorityTier=2\n"
        lines += f"PartitionName=spare {everywhere} MaxTime=1:00:00 PriorityTier=1 PreemptMode=CANCEL GraceTime=0\n"
        return lines


_MAIL_PROGRAM = r"""#!/bin/sh
# Called with -s SUBJECT ADDRESS.
file=$(mktemp "$(dirname "$0")/mail/mail.XXXXXX") && { printf '%s\n' "$@" >"$file"; chmod 644 "$file"; }
"""


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _resolves(host: str) -> bool:
    try:
        socket.gethostbyname(host)
    except OSError:
        return False
    return True
