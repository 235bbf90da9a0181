"""Scripts as users of jobflow-remote wrote them, with nothing changed but the imports that the guide says to change."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from towline.testing.processes import end_workers

SCRIPTS = sorted((Path(__file__).parent / "remote_scripts").glob("*.py"))
GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "jobflow-remote.md"


def changed(text: str) -> str:
    """A script with its imports changed as the table of the guide says."""
    row = re.compile(r"^\| `(from jobflow_remote\S* import) ...` \| `(from towline import) ...` \|$", re.MULTILINE)
    for before, after in row.findall(GUIDE.read_text()):
        text = text.replace(before, after)
    return text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_for_jobflow_remote_runs_with_only_its_imports_changed(path: Path, tmp_path: Path) -> None:
    script = tmp_path / path.name
    script.write_text(changed(path.read_text()))
    assert "jobflow_remote" not in script.read_text()
    home = tmp_path / "home"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOWLINE_", "PYTHON"))}
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(script)],
            cwd=tmp_path,
            env={**kept, "HOME": str(tmp_path), "TOWLINE_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=200,
        )
    finally:
        end_workers(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
