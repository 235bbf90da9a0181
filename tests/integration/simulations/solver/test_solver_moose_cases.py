"""Published results of MOOSE's own test cases, from inputs written from the published facts."""

import numpy as np
import pytest

# var_num, feature_volumes, intersects_bounds, intersects_specified_bounds, percolated, centroid x, y, z
PERCOLATION = [
    (0, 420.42959051194, 1, 1, 1, 24.253524672709, 8.6064954682779, 0),
    (0, 43.486498367696, 1, 1, 0, 46.416666666667, 15.833333333333, 0),
    (0, 487.35928342909, 1, 0, 0, 23.009380453752, 35.910776614311, 0),
    (0, 86.993795161363, 0, 0, 0, 37.934523809524, 26.035714285714, 0),
    (0, 30.624698431988, 1, 1, 0, 2.2743055555556, 24.583333333333, 0),
    (0, 54.471100614737, 1, 1, 0, 47.296511627907, 34.408914728682, 0),
    (0, 76.848766105703, 1, 1, 0, 5.8602150537634, 39.106182795699, 0),
]


def test_a_constant_field_is_one_grain_at_every_step(solve):
    case = solve("onegrain")
    assert (case.folder / "case_out.csv").read_text().split() == ["time,grain_tracker", "0,1", "1,1", "2,1"]


def test_the_area_of_a_diagonal_boundary_agrees_to_all_digits(solve):
    case = solve("diagonal")
    assert (case.folder / "case_out.csv").read_text() == "time,area\n1,1.4030447961255\n"


def test_the_double_well_follows_moose_step_by_step(solve):
    case = solve("well")
    table = case.table("case_csv.csv")
    assert list(table) == ["time", "error", "simu_value", "theory_value"]
    assert len(table["time"]) == 21
    assert [table[name][0] for name in ("error", "simu_value", "theory_value")] == [0, 0, 0]
    assert table["simu_value"][1] == pytest.approx(0.89998289755, abs=1e-11)
    assert table["simu_value"][-1] == pytest.approx(0.89965748618, abs=1e-11)


def test_features_flags_and_centroids_are_those_of_moose_and_its_random_numbers(solve):
    case = solve("percolation")
    table = case.table("case_out_features_0000.csv")
    found = np.stack(list(table.values()), axis=1)
    assert found.shape == (7, 8)
    expected = np.array(PERCOLATION)
    np.testing.assert_allclose(found[:, 1], expected[:, 1], rtol=3e-8)
    np.testing.assert_allclose(np.delete(found, 1, axis=1), np.delete(expected, 1, axis=1), rtol=1e-12)
    assert not (case.folder / "case_out.csv").exists()


def test_a_voronoi_polycrystal_has_the_degrees_of_freedom_and_grains_of_moose(solve):
    case = solve("tracker")
    assert (case.folder / "case_out.csv").read_text() == "time,DOFs,grain_tracker\n0,32729,35\n"


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("linear", [0.9, 0.1, 0.05, 0.1, 0.2, 0.4, 0.25]),
        ("points", [0.9, 0.1, 0.1, 0.1, 0.2, 0.4, 0.2]),
        ("table", [1, 2, 2, 5, 10]),
    ],
)
def test_adaptive_steps_follow_functions_points_and_tables(solve, name, steps):
    assert solve(name).table()["_dt"][1:] == pytest.approx(steps, rel=1e-12)


def test_two_postprocessors_limit_the_steps(solve):
    table = solve("limit").table()
    assert len(table["time"]) == 17
    assert table["_dt"][-1] == pytest.approx(0.69012697315279, rel=1e-12)
    assert table["timestep_pp2"][5] == pytest.approx(2.764110546875, rel=1e-12)
