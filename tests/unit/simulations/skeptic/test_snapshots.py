"""Fields of Exodus files, those of the embedded solver and those that MOOSE writes after it adapted a mesh."""

import netCDF4
import numpy as np
import pytest

from towline.simulations.moose.grain_growth.grains import areas_of, grain_map, grain_maps, sides_of, sizes_of
from towline.simulations.moose.output_files import UnreadableOutput
from towline.simulations.moose.snapshots import Snapshots
from towline.simulations.moose.solver.exodus import ExodusFile
from towline.simulations.moose.solver.mesh import UniformMesh


def write(path, times, shape=(6, 4)):
    """A file of the embedded solver with x + 10 y at the nodes."""
    mesh = UniformMesh(shape, (0.0,) * len(shape), tuple(float(n) for n in shape), (False,) * len(shape), 0)
    exodus = ExodusFile(path, mesh, ["c"], ["id"], [], "test")
    axes = np.meshgrid(*[np.arange(n + 1.0) for n in shape[::-1]], indexing="ij")
    for time in times:
        nodal = axes[-1] + 10 * axes[-2] + time
        exodus.write(time, {"c": nodal}, {"id": np.arange(np.prod(shape)).reshape(shape[::-1])}, {})
    exodus.close()
    return path


def test_nodal_values_are_those_at_the_centres_of_cells(tmp_path):
    with Snapshots(write(tmp_path / "a.e", [0.0, 2.5])) as snapshots:
        assert snapshots.times.tolist() == [0.0, 2.5]
        assert snapshots.names == ("c", "id")
        field = snapshots.field("c", 1)
        assert field.shape == (4, 6)
        assert field[1, 2] == pytest.approx(2.5 + 15 + 2.5)
        assert snapshots.grid().spacings == (1.0, 1.0)
        assert snapshots.field("id", 0)[1, 2] == 8
        with pytest.raises(UnreadableOutput, match="no variable 'd'"):
            snapshots.field("d", 0)


def test_three_dimensions_and_parts_in_order(tmp_path):
    write(tmp_path / "a.e", [0.0, 1.0], (3, 2, 2))
    write(tmp_path / "a.e-s002", [1.0, 2.0], (3, 2, 2))
    write(tmp_path / "a.e-s010", [3.0], (3, 2, 2))
    with Snapshots(tmp_path / "a.e") as snapshots:
        assert snapshots.times.tolist() == [0.0, 1.0, 2.0, 3.0]
        assert snapshots.field("c", 3).shape == (2, 2, 3)


def test_elements_of_several_sizes_are_painted_on_the_finest_grid(tmp_path):
    # A box of 2 × 1 whose right half is refined once, as MOOSE writes it: one block, coordinates per node.
    nodes = [(0, 0), (1, 0), (1, 1), (0, 1), (1.5, 0), (2, 0), (1.5, 0.5), (2, 0.5), (1, 0.5), (1.5, 1), (2, 1)]
    elements = [(0, 1, 2, 3), (1, 4, 6, 8), (4, 5, 7, 6), (8, 6, 9, 2), (6, 7, 10, 9)]
    path = tmp_path / "adapted.e"
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as file:
        for name, size in {"time_step": None, "n": 11, "e": 5, "k": 4, "s": 33, "v": 1}.items():
            file.createDimension(name, size)
        file.createVariable("time_whole", "f8", ("time_step",))[:] = [0.0]
        for axis, name in enumerate(("coordx", "coordy")):
            file.createVariable(name, "f8", ("n",))[:] = [one[axis] for one in nodes]
        connect = file.createVariable("connect1", "i4", ("e", "k"))
        connect[:] = np.array(elements) + 1
        connect.elem_type = "QUAD4"
        names = file.createVariable("name_elem_var", "S1", ("v", "s"))
        names[:] = np.array([[b"u"] + [b""] * 32], dtype="S1")
        file.createVariable("vals_elem_var1eb1", "f8", ("time_step", "e"))[:] = [[7, 1, 2, 3, 4]]
    with Snapshots(path) as snapshots:
        assert snapshots.field("u", 0).tolist() == [[7, 7, 1, 2], [7, 7, 3, 4]]


@pytest.mark.parametrize("content", [b"", b"no netcdf", b"CDF\x02\x00\x00\x00\x00"])
def test_what_is_no_exodus_file_is_told_by_name(tmp_path, content):
    path = tmp_path / "bad.e"
    path.write_bytes(content)
    with pytest.raises(UnreadableOutput, match=r"bad\.e"):
        Snapshots(path)
    with pytest.raises(UnreadableOutput, match=r"none\.e"):
        Snapshots(tmp_path / "none.e")


def _discs(radius, centres, size=64, width=6.0):
    """Order parameters of round grains in a matrix, with the profile of a boundary; the box is periodic."""
    x = np.arange(size) + 0.5
    grid = np.stack(np.meshgrid(x, x, indexing="ij"))
    inside = np.zeros((size, size))
    for centre in centres:
        away = np.abs(grid - np.array(centre)[:, None, None])
        distance = np.sqrt((np.minimum(away, size - away) ** 2).sum(axis=0))
        inside = np.maximum(inside, 0.5 * (1 - np.tanh(2 * (distance - radius) / width)))
    return np.stack([1 - inside, inside])


def test_areas_do_not_depend_on_where_the_cells_lie():
    for shift in (0.0, 0.3, 0.7):
        fields = _discs(14.0, [(32 + shift, 30)])
        grains = grain_map(fields, (True, True))
        areas = areas_of(fields, grains, 1.0)
        # π(R² + w²π²/48): the integral of the profile over a disc.
        expected = np.pi * (14.0**2 + 6.0**2 * np.pi**2 / 48)
        assert sorted(areas.values())[0] == pytest.approx(expected, rel=2e-3)


def test_a_grain_that_crosses_the_side_of_the_box_is_one_grain():
    fields = _discs(10.0, [(0, 0), (32, 32)])
    assert len(np.unique(grain_map(fields, (True, True)))) == 3
    assert len(np.unique(grain_map(fields, (False, False)))) == 6


def test_bricks_have_six_sides_even_where_two_of_them_are_shared_with_one_neighbour():
    # Two bricks per row in a periodic box: each meets the other one of its row on both sides.
    row = np.repeat([0, 1], 10)
    wall = np.concatenate([np.tile(row, (6, 1)), np.tile(np.roll(row + 2, 5), (6, 1))])
    assert sides_of(wall, (True, True)) == {0: 6, 1: 6, 2: 6, 3: 6}
    # At free sides grains end; none of these lies within.
    assert sides_of(wall, (False, False)) == {}
    assert sides_of(np.zeros((2, 2, 2), dtype=int), (True, True, True)) == {}


def test_grains_keep_their_numbers_from_snapshot_to_snapshot(tmp_path):
    mesh = UniformMesh((64, 64), (0.0, 0.0), (64.0, 64.0), (True, True), 0)
    exodus = ExodusFile(tmp_path / "g.e", mesh, ["gr0", "gr1"], [], [], "grains")
    for time, radius in enumerate((12.0, 9.0, 4.0)):
        fields = np.pad(_discs(radius, [(16, 16), (48, 40)]), ((0, 0), (0, 1), (0, 1)), mode="wrap")
        exodus.write(float(time), {"gr0": fields[0], "gr1": fields[1]}, {}, {})
    exodus.close()
    with Snapshots(tmp_path / "g.e") as snapshots:
        maps = grain_maps(snapshots, (True, True), 10)
    assert [set(np.unique(one.grains)) for one in maps] == [{0, 1, 2}] * 3
    assert maps[0].grains[16, 16] == maps[2].grains[16, 16]
    sizes = sizes_of(maps)
    disc = int(maps[0].grains[16, 16])
    assert sizes.areas[0][disc] > sizes.areas[1][disc] > sizes.areas[2][disc]
    assert sizes_of([]) is None


def test_a_file_that_is_cut_off_keeps_what_is_whole(tmp_path):
    path = write(tmp_path / "a.e", [0.0, 1.0, 2.0, 3.0], (30, 30))
    content = path.read_bytes()
    for share in (0.97, 0.8, 0.6):
        path.write_bytes(content[: int(share * len(content))])
        with Snapshots(path) as snapshots:
            assert 1 <= len(snapshots) <= 4
            assert snapshots.times.tolist() == [0.0, 1.0, 2.0, 3.0][: len(snapshots)]
    path.write_bytes(content[:6000])
    with pytest.raises(UnreadableOutput, match="cut off"):
        Snapshots(path)
