"""A rehearsal leaves the process as it was, in a process of its own because it redirects standard streams."""

import subprocess
import sys
from pathlib import Path

REHEARSE = """
import os, sys
{imports}
from towline.core.records import pack_job, unpack_result
from towline.on_worker import payload_registry, run_job
from towline.on_worker.rehearsal import rehearse
before = os.getcwd(), dict(os.environ), [os.fstat(n).st_ino for n in range(3)]
rehearse(sys.argv[1])
assert (os.getcwd(), dict(os.environ), [os.fstat(n).st_ino for n in range(3)]) == before
offers = payload_registry.rehearsals()
results = [run_job.execute(pack_job({{"payload_kind": kind, **h}}, p, [])) for kind, (h, p) in offers.items()]
print(sorted(offers), [result.failure for result in results], os.listdir(sys.argv[1]))
"""


def rehearsed(place: Path, imports: str = "") -> subprocess.CompletedProcess[str]:
    script = REHEARSE.format(imports=imports)
    command = [sys.executable, "-c", script, str(place)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_jobs_of_loaded_kinds_are_rehearsed_and_nothing_is_left(tmp_path: Path) -> None:
    done = rehearsed(tmp_path, "import towline.jobflow.payload")
    assert (done.stdout.splitlines()[-1], done.returncode) == ("['jobflow'] [None] []", 0), done.stderr


def test_kinds_that_are_not_loaded_stay_so(tmp_path: Path) -> None:
    done = rehearsed(tmp_path)
    assert (done.stdout, done.stderr) == ("[] [] []\n", "")


def test_without_room_for_it_there_is_no_rehearsal(tmp_path: Path) -> None:
    """The fork server is slower then, and goes on."""
    (tmp_path / "file").write_text("no folder")
    script = "import sys; from towline.on_worker.rehearsal import rehearse; rehearse(sys.argv[1])"
    command = [sys.executable, "-c", script, str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "jobs cannot be rehearsed: NotADirectoryError" in done.stderr
