"""Resources of `tow run`: sizes, words given twice, what comes on top of what the worker asks for."""

import pytest

from towline.errors import InvalidRequest
from towline.operations.resources import gigabytes, on_top_of, resources_of_run


@pytest.mark.parametrize(
    ("text", "size"),
    [("16G", 16), ("512M", 0.5), ("1.5T", 1536), ("2", 2), ("1048576k", 1), ("4GB", 4), ("4 GiB", 4)],
)
def test_a_size_of_memory(text: str, size: float) -> None:
    assert gigabytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1G", "1X", "G"])
def test_what_is_no_size_of_memory(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no size of memory"):
        gigabytes(text)


def test_options_and_words_come_together() -> None:
    named = {"nodes": 2, "time_limit": "90", "memory_gigabytes": "500M", "qos": None}
    found = resources_of_run(named, {"gres": "gpu:2", "nodes": 2})
    assert found == {"nodes": 2, "time_limit": 90, "memory_gigabytes": 500 / 1024, "gres": "gpu:2"}
    with pytest.raises(InvalidRequest, match="given twice, as 2 and as 3"):
        resources_of_run({"nodes": 2}, {"nodes": 3})


def test_what_is_given_replaces_what_the_worker_says_about_the_same_thing_in_any_words() -> None:
    worker = {"partition": "debug", "account": "m1", "time": "0:30:00", "ntasks": 4}
    assert on_top_of(worker, {"time_limit": 60, "processes": 2}) == {
        "partition": "debug",
        "account": "m1",
        "time_limit": 60,
        "processes": 2,
    }
    assert on_top_of({"queue_name": "long", "qos": "a"}, {"partition": "debug"}) == {"partition": "debug", "qos": "a"}
    assert on_top_of(None, {"nodes": 1}) == {"nodes": 1}
