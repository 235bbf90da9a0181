"""Which folders can be run folders, and which work_dir they are in."""

import pytest

from towline.core.run_folder import checked_work_dir, may_be_deleted, run_folder, work_dir_of
from towline.errors import InvalidRequest

_UUID = "7d9f1c52-0000-4000-8000-000000000000"


@pytest.mark.parametrize("own", ["/scratch", "/usual/inside", "/a b/$(touch x)/'c'"])
@pytest.mark.parametrize("attempt", [1, 12])
def test_a_run_folder_leads_back_to_its_work_dir(own: str, attempt: int) -> None:
    path = f"{own}/{run_folder(_UUID, 3, attempt)}"
    assert work_dir_of(path, "/usual") == own
    assert work_dir_of(f"/usual/{run_folder(_UUID, 1, 1)}", "/usual") == "/usual"
    assert may_be_deleted(path, "/usual")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/home/me",
        "/home/me/data_1",
        "/etc/passwd",
        "/scratch/../home/7d/7d9f_1",
        "7d/7d9f_1",
        "/7d/7d9f",
        "/usual",
    ],
)
def test_what_no_job_can_have_made_stays(path: str) -> None:
    assert not may_be_deleted(path, "/usual")


@pytest.mark.parametrize(("given", "kept"), [("/a//b/", "/a/b"), ("//a/./b", "/a/b"), ("", "")])
def test_a_folder_has_one_form(given: str, kept: str) -> None:
    assert checked_work_dir(given) == kept


@pytest.mark.parametrize("wrong", ["a", "/", "//", "/..", "/a/../b", "/a\nb", "/a\0", None, 1, "~"])
def test_what_is_no_folder_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidRequest, match="absolute path"):
        checked_work_dir(wrong)
