"""``towline-phasefield`` on files, as a shell starts it."""

import subprocess
import sys
from pathlib import Path

import meshio
import numpy as np
import pytest

from towline.simulations.moose.command import WrongUsage, main, read_arguments
from towline.simulations.moose.console import Ending, read_console
from towline.simulations.moose.output_files import read_table

INPUTS = Path(__file__).parent / "inputs"


def test_a_right_input_is_said_to_be_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-i", str(INPUTS / "grain_growth.i"), "--check-input"]) == 0
    assert capsys.readouterr().out == "Syntax OK\n"


def test_the_command_starts_without_what_only_a_run_needs() -> None:
    script = (
        "import sys; from towline.simulations.moose.command import main; "
        f"code = main(['-i', {str(INPUTS / 'one_grain.i')!r}, '--check-input']); "
        "print(sorted({'meshio', 'scipy', 'pint', 'matplotlib'} & set(sys.modules)), code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["Syntax OK", "[] 0"]


def test_mistakes_end_with_code_1_and_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.i"
    path.write_text("[Kernels/k]\n  type = Difusion\n  variable = u\n[]\n[Mesh]\n[]\n")
    assert main(["-i", str(path)]) == 1
    error = capsys.readouterr().err
    assert "*** ERROR ***" in error
    assert f"{path}:2.3: A 'Difusion' is not a registered object. Did you mean 'Diffusion'?" in error
    assert "missing section '[Executioner]'" in error


def test_a_file_that_does_not_exist_and_one_with_wrong_syntax_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["-i", str(tmp_path / "none.i")]) == 1
    assert "Unable to open file" in capsys.readouterr().err
    (tmp_path / "open.i").write_text("[Mesh]\n")
    assert main(["-i", str(tmp_path / "open.i"), "--check-input"]) == 1
    assert "open.i:1.1: syntax error, unexpected end of file" in capsys.readouterr().err


def test_values_of_the_command_line_count(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-i", str(INPUTS / "grain_growth.i"), "Mesh/generated/nx=many", "--check-input"]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "CLI_ARGS:1.1: cannot convert field 'Mesh/generated/nx' value 'many' to integer" in error


def test_unused_values_can_be_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-i", str(INPUTS / "one_grain.i"), "Executioner/dtt=1", "--check-input"]
    assert main(words) == 1
    assert main([*words, "-w"]) == 0
    assert "*** Warning *** CLI_ARGS:1.1: unused command line parameter 'Executioner/dtt'" in capsys.readouterr().err


def test_the_input_is_shown_with_everything_carried_out(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-i", str(INPUTS / "grain_growth.i"), "temperature=500", "--show-input", "--check-input"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "T = 500\n" in shown
    assert "ny = 40\n" in shown
    assert "# Normal grain growth of copper" in shown


def test_the_mesh_is_written_with_its_refinements(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "box.i"
    path.write_text((INPUTS / "one_grain.i").read_text())
    overrides = ["Mesh/box/dim=3", "Mesh/box/nx=2", "Mesh/box/ny=1", "Mesh/box/zmin=-1", "Mesh/uniform_refine=1"]
    assert main(["-i", str(path), "--mesh-only", "-r", "1", *overrides]) == 0
    assert capsys.readouterr().out == f"The mesh is in {tmp_path / 'box_in.e'}\n"
    mesh = meshio.read(tmp_path / "box_in.e")
    assert mesh.points.shape == (9 * 5 * 5, 3)
    assert mesh.points.min(axis=0).tolist() == [0, 0, -1]
    corners = mesh.points[mesh.cells_dict["hexahedron"]]
    along, across, up = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0], corners[:, 4] - corners[:, 0]
    volumes = np.einsum("ij,ij->i", np.cross(along, across), up)
    np.testing.assert_allclose(volumes, 2.0 / (8 * 4 * 4))


def test_a_mesh_that_fits_nowhere_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-i", str(INPUTS / "one_grain.i"), "--mesh-only", "Mesh/box/nx=1000000", "Mesh/box/ny=1000000"]
    assert main(words) == 1
    assert "a mesh of 1000000 × 1000000 = 1e+12 elements" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "no input"),
        (["-i"], "-i needs the name of a file"),
        (["-i", "a.i", "--nonsense"], "unknown option '--nonsense'"),
        (["a.i"], "files come after -i"),
        (["-i", "a.i", "-r", "x"], "-r needs a number of refinements"),
    ],
)
def test_wrong_usage_is_told(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WrongUsage, match=complaint):
        read_arguments(words)
    assert main(words) == 2
    assert complaint in capsys.readouterr().err


def test_options_of_petsc_and_moose_without_a_meaning_here_are_passed_over() -> None:
    words = ["-i", "a.i", "b.i", "A/b=1", "-pc_type", "lu", "-ksp_monitor", "--n-threads=4", "--no-color", "c=-1"]
    found = read_arguments(words)
    assert found.files == (Path("a.i"), Path("b.i"))
    assert found.overrides == ("A/b=1", "c=-1")
    assert found.ignored == ("-pc_type", "-ksp_monitor", "--n-threads=4", "--no-color")


def test_help_and_version_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert main(["--version"]) == 0
    out = capsys.readouterr().out
    assert "--mesh-only" in out
    assert "(embedded solver)" in out


def test_an_input_is_run_and_its_table_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.i"
    path.write_text((INPUTS / "one_grain.i").read_text())
    assert main(["-i", str(path), "Executioner/num_steps=3"]) == 0
    times, grains = read_table(tmp_path / "one_out.csv").series("grain_tracker", on_initial=True)
    assert times.tolist() == [0, 1, 2, 3]
    assert grains.tolist() == [1, 1, 1, 1]
    log = read_console(capsys.readouterr().out)
    assert log.ending() is Ending.COMPLETED
    assert [one.number for one in log.attempts if one.number > 0] == [1, 2, 3]


def test_a_case_of_diffusion_is_solved_as_the_input_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "steps.i"
    path.write_text((INPUTS / "time_steps.i").read_text())
    assert main(["-i", str(path)]) == 0
    log = read_console(capsys.readouterr().out)
    assert log.rejected_steps == 0
    assert all(one.converged and one.residuals[-1] <= 1e-7 * one.residuals[0] for one in log.attempts if one.number)
    # The table says of each step what the console says.
    sizes = read_table(tmp_path / "steps_out.csv").column("_dt")[1:]
    np.testing.assert_allclose([one.step_size for one in log.attempts if one.number], sizes, rtol=1e-5)
