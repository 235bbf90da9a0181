from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of towline that exists and is empty, with no other setting."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TOWLINE_HOME", str(folder))
    for name in ("PROJECT", "CLI_FULL_EXC", "CLI_SUGGESTIONS", "CLI_LOG_LEVEL", "CLI_JOB_LIST_COLUMNS"):
        monkeypatch.delenv(f"TOWLINE_{name}", raising=False)
    return folder
