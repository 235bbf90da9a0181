"""A real Grid Engine 8.1.9 for tests: one node in a network namespace of its own, with a cell in one folder.

Its master refuses clients whose address resolves to another name than the one they say, which plain loopback does; so
it gets a namespace with an address and a host name that agree. Nothing in it is reachable from anywhere else.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path
from textwrap import dedent

from towline.testing.debian import JOB_USER, NotPossibleHere, ensure_user, require, server_folder
from towline.testing.waiting import wait_until

PROGRAMS = ("sge_qmaster", "sge_execd", "qsub", "qstat", "qconf", "qacct", "ip", "unshare", "setpriv")
PACKAGES = ("gridengine-master", "gridengine-exec", "gridengine-client", "iproute2", "util-linux")

_HOST = "sge1"
#: In a network for documentation, so that it is nobody's.
_ADDRESS = "198.51.100.6"
#: Where Debian has the programs that all cells share.
_SYSTEM_ROOT = Path("/var/lib/gridengine")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SLOTS = 8
#: Without waiting for more to write.
_ACCOUNTING = "accounting=true reporting=false flush_time=00:00:01"

# The master must not be asked for a name at installation; the cell that the package makes is not used.
_ANSWERS = dedent(f"""\
    gridengine-common shared/gridenginemaster string {_HOST}
    gridengine-master shared/gridenginemaster string {_HOST}
    gridengine-client shared/gridenginemaster string {_HOST}
    gridengine-master shared/gridenginecell string default
    gridengine-master shared/gridengineconfig boolean false
    """)


class GridEngine:
    """A cluster of one node that runs."""

    def __init__(self) -> None:
        require(PROGRAMS, PACKAGES, answers=_ANSWERS)
        ensure_user()
        self.folder = server_folder("sge")
        # Unlike the number of a process, it is not used again while something is left of it.
        self.namespace = self.folder.name
        #: What a login on this cluster has in its environment.
        self.environment = {"SGE_ROOT": str(self.folder / "root"), "SGE_CELL": "default"}
        try:
            self._make_namespace()
            self._make_cell()
            self._start()
        except BaseException:
            self.stop()
            raise

    def run(self, text: str, *, user: str = JOB_USER, timeout_seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run shell text on the node, as a user."""
        entry = pwd.getpwnam(user)
        identity = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
        return subprocess.run(
            [*self.inside(), "setpriv", *identity, "env", "-C", entry.pw_dir, "bash", "-s"],
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            env={"PATH": _PATH, "HOME": entry.pw_dir, "USER": user, "LOGNAME": user, **self.environment},
        )

    def administer(self, command: str) -> str:
        """Run a command as root, and give what it said.

        Raises
        ------
        AssertionError
            It failed.
        """
        done = self.run(command, user="root")
        assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
        return done.stdout

    def work_dir(self, name: str = "work") -> Path:
        """A new folder that the user of jobs owns."""
        folder = self.folder / "home" / name
        folder.mkdir(parents=True)
        shutil.chown(folder, JOB_USER)
        return folder

    def stop(self) -> None:
        """End everything in the namespace, and remove it and the folder."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.run("qdel -u '*' >/dev/null; qconf -ke all; qconf -km", user="root", timeout_seconds=20)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not self._processes(), 5, "the end of Grid Engine")
        subprocess.run(["ip", "netns", "delete", self.namespace], capture_output=True)
        shutil.rmtree(Path("/etc/netns") / self.namespace, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self) -> list[int]:
        done = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True)
        return [int(word) for word in done.stdout.split() if not _is_zombie(int(word))]

    def inside(self) -> list[str]:
        """Words before a program that let it run on the node."""
        named = ["unshare", "--uts", "sh", "-c", f'hostname {_HOST} && exec "$@"', "sh"]
        return ["ip", "netns", "exec", self.namespace, *named]

    def _make_namespace(self) -> None:
        hosts = Path("/etc/netns") / self.namespace / "hosts"
        hosts.parent.mkdir(parents=True, exist_ok=True)
        hosts.write_text(f"127.0.0.1 localhost\n{_ADDRESS} {_HOST}\n")
        commands = (
            f"ip netns add {self.namespace}",
            f"ip -n {self.namespace} link set lo up",
            f"ip -n {self.namespace} addr add {_ADDRESS}/32 dev lo",
        )
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True)
            if done.returncode:
                raise NotPossibleHere(f"network namespaces are not permitted ({command}: {done.stderr.strip()})")
        done = subprocess.run([*self.inside(), "hostname"], capture_output=True, text=True)
        if done.stdout.strip() != _HOST:
            raise NotPossibleHere(f"namespaces with a host name are not permitted ({done.stderr.strip()})")

    def _make_cell(self) -> None:
        root = self.folder / "root"
        common = root / "default" / "common"
        common.mkdir(parents=True)
        for name in ("bin", "lib", "util", "utilbin"):
            (root / name).symlink_to(_SYSTEM_ROOT / name)
        for name in ("qmaster", "qmaster/job_scripts", "spooldb", "execd"):
            (self.folder / name).mkdir()
        (common / "act_qmaster").write_text(f"{_HOST}\n")
        (common / "bootstrap").write_text(self._bootstrap())
        subprocess.run(["chown", "-R", "sgeadmin:sgeadmin", str(self.folder)], check=True)
        initialise = f"/usr/share/gridengine/scripts/init_cluster {root} default {self.folder}/spooldb sgeadmin"
        done = self.run(initialise, user="sgeadmin")
        assert done.returncode == 0, done.stderr + done.stdout
        self.folder.chmod(0o755)

    def _bootstrap(self) -> str:
        return dedent(f"""\
            admin_user sgeadmin
            default_domain none
            ignore_fqdn false
            spooling_method berkeleydb
            spooling_lib libspoolb
            spooling_params {self.folder}/spooldb
            binary_path /usr/sbin
            qmaster_spool_dir {self.folder}/qmaster
            security_mode none
            listener_threads 2
            worker_threads 2
            scheduler_threads 1
            """)

    def _start(self) -> None:
        # Its daemons go through all descriptors that they might have.
        self.administer("ulimit -n 4096; sge_qmaster </dev/null >/dev/null 2>&1")
        wait_until(lambda: self.run("qconf -sm", user="root").returncode == 0, 30, "Grid Engine's master")
        self._configure()
        self.administer("ulimit -n 4096; sge_execd </dev/null >/dev/null 2>&1")
        pattern = re.compile(rf"^all\.q@{_HOST}\s.*lx-amd64\s*$|^all\.q@{_HOST}\s.*lx-\w+\s*$", re.MULTILINE)
        wait_until(lambda: pattern.search(self.run("qstat -f", user="root").stdout), 30, "Grid Engine's queue")

    def _configure(self) -> None:
        self.run(f"qconf -ah {_HOST}; qconf -as {_HOST}", user="root")
        self._change(
            "-sconf global",
            "-Mconf",
            "global",
            {
                "execd_spool_dir": f"{self.folder}/execd",
                "load_report_time": "00:00:02",
                "max_unheard": "00:00:20",
                "mailer": "/bin/true",
                "reporting_params": f"{_ACCOUNTING} joblog=false sharelog=00:00:00",
            },
        )
        self._change(
            "-ssconf",
            "-Msconf",
            "schedule",
            {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"},
        )
        (self.folder / "hosts").write_text(f"group_name @allhosts\nhostlist {_HOST}\n")
        self.administer(f"qconf -Ahgrp {self.folder}/hosts")
        (self.folder / "pe").write_text(_PARALLEL_ENVIRONMENT)
        self.administer(f"qconf -Ap {self.folder}/pe")
        self._change(
            "-sq",
            "-Aq",
            "queue",
            {
                "qname": "all.q",
                "hostlist": "@allhosts",
                "slots": str(_SLOTS),
                "pe_list": "smp",
                "shell": "/bin/bash",
                # Otherwise a busy machine stops the queue.
                "load_thresholds": "NONE",
            },
        )

    def _change(self, show: str, modify: str, name: str, values: dict[str, str]) -> None:
        text = self.administer(f"qconf {show}")
        for key, value in values.items():
            text = re.sub(rf"^{key}\s.*(?:\\\n.*)*$", f"{key} {value}", text, flags=re.MULTILINE)
        file = self.folder / name
        file.write_text(text)
        self.administer(f"qconf {modify} {file}")


_PARALLEL_ENVIRONMENT = dedent("""\
    pe_name smp
    slots 999
    user_lists NONE
    xuser_lists NONE
    start_proc_args NONE
    stop_proc_args NONE
    allocation_rule $pe_slots
    control_slaves FALSE
    job_is_first_task TRUE
    urgency_slots min
    accounting_summary FALSE
    qsort_args NONE
    """)


def _is_zombie(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
