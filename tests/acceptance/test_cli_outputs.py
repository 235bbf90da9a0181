"""Where `tow` writes to: encodings without lines, closed outputs, full disks."""

import subprocess
import sys
from pathlib import Path

import pytest


def _tow(home: Path, words: str, *, encoding: str = "utf-8") -> subprocess.CompletedProcess[bytes]:
    program = f'"{sys.executable}" -m towline.interfaces.cli.main {words}'
    environment = {"TOWLINE_HOME": str(home), "PYTHONIOENCODING": encoding, "PATH": "/usr/bin:/bin"}
    return subprocess.run(["sh", "-c", program], env=environment, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("words", ["job list", "--tree"])
def test_an_encoding_without_lines_shows_question_marks(tmp_path: Path, words: str) -> None:
    answer = _tow(tmp_path, words, encoding="ascii")
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert b"???" in answer.stdout


@pytest.mark.parametrize("words", ["job list", "--help", "job list --json"])
def test_a_closed_output_is_no_error(tmp_path: Path, words: str) -> None:
    answer = _tow(tmp_path, f"{words} >&-")
    assert (answer.returncode, answer.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", ["job list", "--help"])
def test_a_full_disk_is_said_in_a_line(tmp_path: Path, words: str) -> None:
    answer = _tow(tmp_path, f"{words} >/dev/full")
    assert answer.returncode == 1
    assert answer.stderr.startswith(b"tow: ")
    assert b"No space left on device" in answer.stderr
    assert b"Traceback" not in answer.stderr
