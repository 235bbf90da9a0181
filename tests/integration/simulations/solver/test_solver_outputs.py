"""What a run of the embedded solver writes, read with other people's programs and from the command line."""

import subprocess
import sys

import numpy as np
import pytest

netcdf = pytest.importorskip("netCDF4")
meshio = pytest.importorskip("meshio")

SHORT = ("Executioner/end_time=6", "Mesh/nx=12", "Mesh/ny=8", "UserObjects/voronoi/grain_num=6")


def texts(variable):
    return [row.tobytes().decode().strip("\0") for row in np.ma.filled(variable[:], b"\0")]


def test_an_exodus_file_holds_every_step_with_its_fields(solve):
    case = solve("growth", *SHORT)
    table = case.table()
    with netcdf.Dataset(case.folder / "case_out.e") as file:
        assert list(file["time_whole"][:]) == pytest.approx(list(table["time"]))
        names = texts(file["name_nod_var"])
        assert names == sorted([*(f"gr{i}" for i in range(8)), "bnds"])
        total = sum(np.asarray(file[f"vals_nod_var{names.index(f'gr{i}') + 1}"][-1]) ** 2 for i in range(8))
        boundaries = np.asarray(file[f"vals_nod_var{names.index('bnds') + 1}"][-1])
        np.testing.assert_allclose(total, boundaries, rtol=1e-12)
        assert texts(file["name_elem_var"]) == ["unique"]
        assert len(np.unique(file["vals_elem_var1eb1"][-1])) - 1 <= table["grain_tracker"][-1]
        area = texts(file["name_glo_var"]).index("area")
        assert list(file["vals_glo_var"][:, area]) == pytest.approx(list(table["area"]), rel=1e-12)


def test_meshio_reads_the_mesh_and_its_elements_fill_the_box(solve):
    case = solve("growth", *SHORT)
    mesh = meshio.read(case.folder / "case_out.e")
    corners = mesh.points[mesh.cells_dict["quad"]][:, :, :2]
    x, y = corners[..., 0], corners[..., 1]
    areas = 0.5 * np.abs(np.sum(x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y, axis=1))
    assert len(areas) == 24 * 16
    assert areas.sum() == pytest.approx(1e6)


def test_the_console_has_moose_s_words_and_says_that_this_is_not_moose(solve):
    log = "\n".join(solve("growth", *SHORT).log)
    for text in (
        "not MOOSE",
        "Time Step 1, time = 2, dt = 2",
        " 0 Nonlinear |R| = ",
        " Solve Converged!",
        "Finished Executing",
    ):
        assert text in log


def test_a_billion_elements_are_refused_with_the_memory_they_need(tmp_path):
    from towline.errors import InvalidRequest
    from towline.simulations.moose.solver.memory import refuse_what_does_not_fit
    from towline.simulations.moose.solver.mesh import UniformMesh

    mesh = UniformMesh((1000, 1000, 1000), (0, 0, 0), (1, 1, 1), (True, True, True))
    with pytest.raises(InvalidRequest, match=r"1e\+09 elements with 8 variables would need about [\d,]+ GiB"):
        refuse_what_does_not_fit(mesh, 8, 1)


def test_the_command_runs_an_input_and_ends_with_zero(solve, tmp_path):
    from pathlib import Path

    text = (Path(__file__).parent / "inputs" / "linear.i").read_text()
    (tmp_path / "spike.i").write_text(text)
    command = [sys.executable, "-c", "from towline.simulations.moose.command import run; run()", "-i", "spike.i"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "Finished Executing" in done.stdout
    assert (tmp_path / "spike_out.csv").read_text().splitlines()[-1] == "2,0.25"
