"""A run that is killed leaves files that hold what was finished, and nothing else."""

import subprocess
import sys

import numpy as np
import pytest

from towline.simulations.moose.output_files import read_table
from towline.testing.waiting import wait_until

LONG = """
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 150
  ny = 150
[]
[Variables]
  [u]
  []
  [v]
  []
[]
[ICs]
  [u]
    type = FunctionIC
    variable = u
    function = '1+x'
  []
  [v]
    type = FunctionIC
    variable = v
    function = '2+y'
  []
[]
[Problem]
  solve = false
[]
[Postprocessors]
  [mean]
    type = ElementAverageValue
    variable = u
    execute_on = 'initial timestep_end'
  []
  [count]
    type = FeatureFloodCount
    variable = u
    threshold = 1.5
    execute_on = 'initial timestep_end'
  []
[]
[VectorPostprocessors/regions]
  type = FeatureVolumeVectorPostprocessor
  flood_counter = count
  output_centroids = true
[]
[Executioner]
  type = Transient
  dt = 1
  num_steps = 100000
[]
[Outputs]
  csv = true
  exodus = true
[]
"""


@pytest.mark.parametrize("rows", [3, 8, 20])
def test_the_files_of_a_killed_run_hold_whole_records(tmp_path, rows):
    netcdf = pytest.importorskip("netCDF4")
    (tmp_path / "case.i").write_text(LONG)
    table = tmp_path / "case_out.csv"
    command = [sys.executable, "-c", "from towline.simulations.moose.command import run; run()", "-i", "case.i"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: table.exists() and table.read_bytes().count(b"\n") > rows, 120)
        finally:
            process.kill()
    lines = table.read_bytes()
    assert lines.endswith(b"\n")
    columns = read_table(table).columns
    assert len(columns["time"]) >= rows
    np.testing.assert_allclose(columns["mean"], 1.5)
    with netcdf.Dataset(tmp_path / "case_out.e") as file:
        records = len(file.dimensions["time_step"])
        assert records >= rows - 1
        assert list(file["time_whole"][:]) == list(range(records))
        for place, low in ((1, 1), (2, 2)):
            values = np.ma.filled(file[f"vals_nod_var{place}"][:], np.nan)
            assert np.all(values >= low)
            assert np.all(values <= low + 1)
    vectors = sorted(tmp_path.glob("case_out_regions_*.csv"))
    assert len(vectors) >= rows - 2
    for path in vectors:
        assert list(read_table(path).columns["feature_volumes"]) == pytest.approx([0.875], rel=0.05)
