"""A program that plays OpenPBS: `qsub`, `qstat` and `qdel` that keep their state in a folder and really run the jobs.

There is no package of a PBS server, so this behaves as a real one-node server of 23.06 was seen to behave: states and
sub-states, exit codes, what is printed and where, with its history on or off. It schedules whenever it is called, one
job per free processor. `PLAY_PBS` in the environment names the folder; `settings.json` there has ``history`` (bool),
``down`` (bool: no server answers) and ``processors``.
"""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SERVER = "pbs1"
_VERSION = "23.06.06"
_USAGE = "usage: qsub [-a date_time] [-A account_string] [script | -- command [arg1 ...]]"

#: Options of qsub that have a value, in directives too.
_VALUED = "aAcCeIjJklMmNopPqrRSuvW"
_RESOURCES = {"select", "place", "walltime", "ncpus", "mem", "filesystems", "model", "software"}
_CHUNK_RESOURCES = {"ncpus", "mem", "mpiprocs", "ompthreads", "ngpus"}

_RAN, _FAILED, _DELETED = 92, 93, 91
_SIGTERM_STATUS = 256 + signal.SIGTERM


class Server:
    """The state of the server, while one of the programs runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = json.loads((folder / "settings.json").read_text())
        self.jobs: dict[str, dict[str, Any]] = {}
        for file in (folder / "jobs").glob("*.json"):
            job = json.loads(file.read_text())
            self.jobs[job["id"]] = job

    def save(self, job: dict[str, Any]) -> None:
        """Keep a job."""
        self.jobs[job["id"]] = job
        file = self.folder / "jobs" / f"{job['number']}-{job.get('array_index', 0)}.json"
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps(job))
        temporary.replace(file)

    def next_number(self) -> int:
        """Number of a new job."""
        return 1 + max((job["number"] for job in self.jobs.values()), default=0)

    def schedule(self) -> None:
        """Notice ends, and start what may start."""
        for job in self.jobs.values():
            if job["job_state"] in "RE":
                self._notice_end(job)
        self._resolve_dependencies()
        running = sum(job["job_state"] == "R" for job in self.jobs.values())
        for job in sorted(self.jobs.values(), key=lambda one: (one["number"], one.get("array_index", 0))):
            if job["job_state"] != "Q" or job["is_array"] or running >= self.settings["processors"]:
                continue
            if not self._has_room_in_array(job):
                continue
            self._start(job)
            running += 1
        self._update_arrays()

    def _has_room_in_array(self, job: dict[str, Any]) -> bool:
        cap = job.get("cap")
        siblings = [one for one in self.jobs.values() if one["number"] == job["number"] and one["job_state"] == "R"]
        return not cap or len(siblings) < cap

    def _start(self, job: dict[str, Any]) -> None:
        exit_file = self.folder / "jobs" / f"{job['number']}-{job.get('array_index', 0)}.exit"
        environment = {**job["environment"], "PBS_JOBID": job["id"], "PBS_O_WORKDIR": job["folder"]}
        environment |= {"PBS_ENVIRONMENT": "PBS_BATCH", "PBS_JOBNAME": job["Job_Name"]}
        if "array_index" in job:
            environment["PBS_ARRAY_INDEX"] = str(job["array_index"])
        # PBS hands the script to a login shell in the home folder; files of output appear at the end only.
        output, error = (self.folder / "jobs" / f"{exit_file.stem}.{kind}" for kind in ("OU", "ER"))
        watcher = (
            "import os,subprocess,sys\n"
            "s,o,e,x,op,ep=sys.argv[1:]\n"
            "c=subprocess.call(['/bin/bash',s],stdin=subprocess.DEVNULL,stdout=open(o,'wb'),stderr=open(e,'wb'))\n"
            "for a,b in((o,op),(e,ep)):\n"
            "  try: os.umask(0o077); open(b,'wb').write(open(a,'rb').read())\n"
            "  except OSError: pass\n"
            "open(x+'.new','w').write(str(c)); os.rename(x+'.new',x)\n"
        )
        script = self.folder / "jobs" / f"{job['number']}.SC"
        command = [sys.executable, "-S", "-c", watcher, str(script), str(output), str(error), str(exit_file)]
        process = subprocess.Popen(
            [*command, job["Output_Path"], job["Error_Path"]],
            env=environment,
            cwd=job["environment"].get("HOME", "/"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        now = int(time.time())
        job |= {"job_state": "R", "substate": 41, "stime": now, "session_id": process.pid, "run_count": 1}
        job |= {"exec_host": f"{SERVER}/0", "comment": f"Job run at {_short(now)} on ({SERVER}:ncpus=1)"}
        self.save(job)

    def _notice_end(self, job: dict[str, Any]) -> None:
        exit_file = self.folder / "jobs" / f"{job['number']}-{job.get('array_index', 0)}.exit"
        limit = job.get("walltime_seconds")
        if not exit_file.exists() and limit and time.time() - job["stime"] > limit:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job["session_id"], signal.SIGKILL)
            self.end(job, _FAILED, -29, "and exceeded resource walltime")
        elif exit_file.exists():
            code = int(exit_file.read_text())
            code = 128 - code if code < 0 else code
            self.end(job, _RAN if code == 0 else _FAILED, code, "and finished" if code == 0 else "and failed")

    def end(self, job: dict[str, Any], substate: int, status: int | None, words: str) -> None:
        """Put a job among those that ended."""
        now = int(time.time())
        job |= {"job_state": "X" if "array_index" in job else "F", "substate": substate, "history_timestamp": now}
        if status is not None:
            job |= {"Exit_status": status, "obittime": now}
            job["comment"] = f"{job.get('comment', '')} {words}".strip()
            job["resources_used"] = {"cput": "00:00:00", "mem": "6300kb", "ncpus": 1, "walltime": "00:00:01"}
        self.save(job)

    def _resolve_dependencies(self) -> None:
        for job in list(self.jobs.values()):
            parent_id = job.get("afterok")
            if not parent_id or job["job_state"] != "H":
                continue
            parent = self.jobs.get(parent_id)
            if parent is None or (parent["job_state"] in "FX" and parent.get("Exit_status") != 0):
                # Without exit status: it never ran.
                self.end(job, _RAN, None, "")
            elif parent["job_state"] in "FX":
                job |= {"job_state": "Q", "substate": 10}
                self.save(job)

    def _update_arrays(self) -> None:
        for array in [one for one in self.jobs.values() if one["is_array"] and one["job_state"] != "F"]:
            tasks = [one for one in self.jobs.values() if one["number"] == array["number"] and not one["is_array"]]
            if any(one["job_state"] in "RX" for one in tasks) and array["job_state"] == "Q":
                array |= {"job_state": "B", "substate": 70, "stime": int(time.time())}
                array["comment"] = f"Job Array Began at {_short(array['stime'])}"
                self.save(array)
            if tasks and all(one["job_state"] in "FX" for one in tasks):
                failed = any(one.get("Exit_status") != 0 for one in tasks)
                # The exit status of an array is that of one of its tasks, whatever the others did.
                self.end(array, _FAILED if failed else _RAN, tasks[-1].get("Exit_status"), "and finished")
                array["job_state"] = "F"
                self.save(array)
                for task in tasks:
                    task["job_state"] = "F"
                    self.save(task)


@contextmanager
def _server() -> Iterator[Server]:
    folder = Path(os.environ["PLAY_PBS"])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = Server(folder)
        server.schedule()
        yield server


def _is_down() -> bool:
    return bool(json.loads((Path(os.environ["PLAY_PBS"]) / "settings.json").read_text())["down"])


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def qsub(arguments: Sequence[str]) -> int:
    """Submit a script."""
    if "--version" in arguments:
        print(f"pbs_version = {_VERSION}")
        return 0
    options, rest = _options(arguments)
    if options is None:
        return _fail(f"qsub: invalid option -- '{rest[0]}'\n{_USAGE}", 2)
    if rest and not Path(rest[0]).exists():
        return _fail("qsub: script file:: No such file or directory", 1)
    text = Path(rest[0]).read_text() if rest else sys.stdin.read()
    for line in text.splitlines():
        if line.startswith("#PBS "):
            found, wrong = _options(_words(line[5:]))
            if found is None:
                return _fail(f"qsub: directive error: {line} ({wrong[0]})", 2)
            options = [*found, *options]
    if _is_down():
        return _fail(f"Connection refused\nqsub: cannot connect to server {SERVER} (errno=111)", 111)
    refusal = _refusal(options)
    if refusal is not None:
        return _fail(*refusal)
    with _server() as server:
        print(_accept(server, options, text))
        server.schedule()
    return 0


def _words(line: str) -> list[str]:
    """As PBS reads a directive: quotes of both kinds, and nothing that escapes them."""
    return [
        re.sub(r"\"([^\"]*)\"|'([^']*)'", lambda match: match[1] or match[2] or "", word)
        for word in re.findall(r"(?:[^\s\"']|\"[^\"]*\"|'[^']*')+", line)
    ]


def _options(arguments: Sequence[str]) -> tuple[list[tuple[str, str]] | None, list[str]]:
    found, rest = [], list(arguments)
    while rest and rest[0].startswith("-"):
        letter, value = rest[0][1:2], rest[0][2:]
        if letter in ("h", "z", "V"):
            rest = rest[1:]
        elif letter and letter in _VALUED:
            if not value and len(rest) < 2:
                return None, [letter]
            value, rest = (value, rest[1:]) if value else (rest[1], rest[2:])
        else:
            return None, [letter]
        found.append((letter, value))
    return found, rest


def _refusal(options: Sequence[tuple[str, str]]) -> tuple[str, int] | None:
    for letter, value in options:
        if letter == "q" and value not in ("workq", "debug"):
            return "qsub: Unknown queue", 170
        if letter == "N" and not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+.-]{0,229}", value):
            return "qsub: illegal -N value", 2
        if letter == "l":
            for name, _, given in (part.partition("=") for part in value.split(",")):
                if name not in _RESOURCES:
                    return f"qsub: Unknown resource Resource_List.{name}", 187
                if name == "walltime" and _seconds(given) is None:
                    return "qsub: Illegal attribute or resource value Resource_List.walltime", 166
                chunks = re.findall(r":(\w+)=", given) if name == "select" else []
                unknown = [one for one in chunks if one not in _CHUNK_RESOURCES]
                if unknown:
                    return f"qsub: Unknown resource: {unknown[0]}", 187
    return None


def _accept(server: Server, options: Sequence[tuple[str, str]], text: str) -> str:
    given = dict(options)
    number, now = server.next_number(), int(time.time())
    name = given.get("N", "STDIN")
    held = "h" in given
    depend = re.match(r"depend=afterok:(\S+)", given.get("W", ""))
    job: dict[str, Any] = {
        "number": number,
        "Job_Name": name,
        "ctime": now,
        "folder": str(Path.cwd()),
        "environment": {key: value for key, value in os.environ.items() if not key.startswith("PBS_")},
        "job_state": "H" if held or depend else "Q",
        "substate": 20 if held else 22 if depend else 10,
        "is_array": False,
        "Output_Path": str(Path.cwd() / given.get("o", f"{name}.o{number}")),
        "Error_Path": str(Path.cwd() / given.get("e", f"{name}.e{number}")),
    }
    limits = [value[9:] for letter, value in options if letter == "l" and value.startswith("walltime=")]
    if limits:
        job["walltime_seconds"] = _seconds(limits[-1])
    if depend:
        job["afterok"] = job["depend"] = depend[1]
    (server.folder / "jobs" / f"{number}.SC").write_text(text)
    if "J" not in given:
        server.save({**job, "id": f"{number}.{SERVER}"})
        return f"{number}.{SERVER}"
    first, last, cap = re.fullmatch(r"(\d+)-(\d+)(?:%(\d+))?", given["J"]).groups()  # type: ignore[union-attr]
    server.save({**job, "id": f"{number}[].{SERVER}", "is_array": True})
    for index in range(int(first), int(last) + 1):
        paths = {key: job[key].replace("^array_index^", str(index)) for key in ("Output_Path", "Error_Path")}
        task = {**job, **paths, "id": f"{number}[{index}].{SERVER}", "array_index": index, "cap": int(cap or 0)}
        server.save(task)
    return f"{number}[].{SERVER}"


def qstat(arguments: Sequence[str]) -> int:
    """Tell about jobs, queues or the server."""
    flags = [one for one in arguments if one.startswith("-")]
    ids = [one for one in arguments if not one.startswith("-") and one != "json"]
    as_json = "json" in arguments
    header = {"timestamp": int(time.time()), "pbs_version": _VERSION, "pbs_server": SERVER}
    if _is_down():
        if as_json:
            print(json.dumps(header, indent="\t", separators=(",", ":\t")))
        return _fail(f"Connection refused\nqstat: cannot connect to server {SERVER} (errno=111)", 255)
    with _server() as server:
        if "-Q" in flags:
            for name in ("workq", "debug"):
                print(f"Queue: {name}\n    queue_type = Execution\n    enabled = True\n    started = True\n")
            return 0
        if "-B" in flags:
            print(f"Server: {SERVER}\n    server_state = Active")
            print("    job_history_enable = True\n" if server.settings["history"] else "")
            return 0
        listed, errors, code = _listed(server, ids, with_ended="-x" in flags, with_tasks="-t" in flags)
        if as_json:
            jobs = {job["id"]: _document(job) for job in listed}
            whole = {**header, **({"Jobs": jobs} if jobs else {})}
            print(json.dumps(whole, indent="\t", separators=(",", ":\t")))
        elif "-f" in flags:
            for job in listed:
                print(f"Job Id: {job['id']}")
                print("".join(f"    {key} = {value}\n" for key, value in _document(job).items()))
        for error in errors:
            print(error, file=sys.stderr)
        return code


def _listed(
    server: Server, ids: Sequence[str], *, with_ended: bool, with_tasks: bool
) -> tuple[list[dict[str, Any]], list[str], int]:
    remembers = with_ended and server.settings["history"]
    visible = {key: job for key, job in server.jobs.items() if remembers or not _is_gone(server, job)}
    if not ids:
        return [job for job in visible.values() if "array_index" not in job], [], 0
    listed, errors, code = [], [], 0
    for one in ids:
        full = one if "." in one else f"{one}.{SERVER}"
        if full in visible:
            listed.append(visible[full])
            if with_tasks and visible[full]["is_array"]:
                number = visible[full]["number"]
                listed += [job for job in visible.values() if job["number"] == number and "array_index" in job]
        elif full in server.jobs and server.settings["history"]:
            errors.append(f"qstat: {full} Job has finished, use -x or -H to obtain historical job information")
            code = 35
        else:
            errors.append(f"qstat: Unknown Job Id {full}")
            code = 153
    return listed, errors, code


def _is_gone(server: Server, job: dict[str, Any]) -> bool:
    """Ended; tasks of an array are listed until the whole array has ended."""
    if "array_index" in job:
        array = server.jobs[f"{job['number']}[].{SERVER}"]
        return bool(array["job_state"] == "F")
    return bool(job["job_state"] == "F")


def _document(job: dict[str, Any]) -> dict[str, Any]:
    hidden = {"id", "number", "is_array", "folder", "environment", "walltime_seconds", "afterok", "cap"}
    times = ("ctime", "stime", "obittime")
    shown = {key: value for key, value in job.items() if key not in hidden}
    for key in times:
        if key in shown:
            shown[key] = time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(shown[key]))
    return {**shown, "queue": "workq", "server": SERVER}


def qdel(arguments: Sequence[str]) -> int:
    """Delete jobs."""
    if _is_down():
        return _fail(f"Connection refused\nqdel: cannot connect to server {SERVER} (errno=111)", 255)
    code = 0
    with _server() as server:
        for one in arguments:
            full = one if "." in one else f"{one}.{SERVER}"
            if full not in server.jobs:
                code = _fail(f"qdel: Unknown Job Id {full}", 153)
            elif server.jobs[full]["job_state"] in "FX":
                code = _fail(f"qdel: Job has finished {full}", 35)
            else:
                _delete(server, server.jobs[full])
        server.schedule()
    return code


def _delete(server: Server, job: dict[str, Any]) -> None:
    user = job["environment"].get("USER", "tester")
    members = [one for one in server.jobs.values() if one["number"] == job["number"] and "array_index" in one]
    for one in [job] if not job["is_array"] else members:
        if one["job_state"] == "R":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(one["session_id"], signal.SIGKILL)
            server.end(one, _DELETED, _SIGTERM_STATUS, f"and terminated by {user}@{SERVER}")
        elif one["job_state"] not in "FX":
            server.end(one, _DELETED, None, "")


def _seconds(text: str) -> int | None:
    if not re.fullmatch(r"\d+(:\d+){0,2}", text):
        return None
    total = 0
    for part in text.split(":"):
        total = total * 60 + int(part)
    return total


def _short(at: int) -> str:
    return time.strftime("%a %b %d at %H:%M", time.localtime(at))


if __name__ == "__main__":
    _programs = {"qsub": qsub, "qstat": qstat, "qdel": qdel}
    sys.exit(_programs[sys.argv[1]](sys.argv[2:]))
