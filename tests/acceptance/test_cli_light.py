"""A list of jobs is not kept waiting by what it does not need."""

import subprocess
import sys

import pytest

#: What takes long to load, or belongs to the runner and the workers.
NOT_NEEDED = (
    *("jobflow", "maggma", "numpy", "sqlalchemy", "pydantic", "psycopg", "alembic", "ruamel"),
    *("importlib.metadata", "asyncio", "multiprocessing", "hashlib", "logging"),
    *("towline.workers", "towline.on_worker.command", "towline.runner.loop", "towline.store.reruns"),
)


@pytest.mark.parametrize("command", [["job", "list"], ["job", "list", "--json"]], ids=" ".join)
def test_a_list_of_jobs_loads_nothing_that_it_does_not_need(command, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path))
    program = (
        "import sys\n"
        f"sys.argv = ['tow', *{command!r}]\n"
        "from towline.interfaces.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('\\n'.join(['loaded:', *sys.modules]))\n"
    )
    # The first list makes the database, which takes more.
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = done.stdout.partition("loaded:\n")[2].split()
    assert "towline.store.job_search" in loaded
    assert [name for name in loaded if name.startswith(NOT_NEEDED)] == []
