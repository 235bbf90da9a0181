"""Runs of inputs on the embedded solver."""

from pathlib import Path

import pytest

from towline.simulations.moose import checking, input_file
from towline.simulations.moose.output_files import read_table
from towline.simulations.moose.solver.run import run

INPUTS = Path(__file__).parent / "inputs"


class Case:
    """A finished run in a folder of its own."""

    def __init__(self, folder, text, overrides):
        self.folder = folder
        self.path = folder / "case.i"
        self.path.write_text(text)
        resolved = input_file.read([self.path], overrides)
        checked = checking.check(resolved.tree)
        assert not checked.errors, checked.errors
        self.log = []
        self.exit_code = run(checked.tree, folder / "case", write=self.log.append)

    def table(self, name="case_out.csv"):
        """Return the columns of a CSV file."""
        return read_table(self.folder / name).columns


@pytest.fixture
def solve(tmp_path):
    """Run the text of an input, or one of the files beside this one by its name."""

    def carry_out(text, *overrides):
        if "\n" not in text:
            text = (INPUTS / f"{text}.i").read_text()
        return Case(tmp_path, text, overrides)

    return carry_out
