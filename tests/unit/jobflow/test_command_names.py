"""Names of files of a command that would mean something else."""

import pytest

from towline import command
from towline.errors import InvalidFlow


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_a_file_name_that_begins_with_a_dollar_is_refused_with_what_to_write(where: str) -> None:
    files = {"inputs": {"$in.txt": "hello"}, "outputs": ["$in.txt"]}
    with pytest.raises(InvalidFlow, match=r"'\$in.txt' begins with \$.*write './\$in.txt'"):
        command(["cat"], **{where: files[where]})  # type: ignore[arg-type]
