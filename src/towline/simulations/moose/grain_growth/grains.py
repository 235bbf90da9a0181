"""Single grains in the snapshots of a run: their areas, their sides, and who is who in the next snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label  # type: ignore[import-untyped]  # ships no types

from towline.simulations.application import Case, RunFiles
from towline.simulations.moose.building import dimension_of
from towline.simulations.moose.output_files import UnreadableOutput
from towline.simulations.moose.snapshots import Snapshots

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Snapshots that are looked at; more would show nothing new.
_MOST_SNAPSHOTS = 40
#: Order parameter above which a cell belongs to a grain's own region; low, for the tails are part of its area.
_THRESHOLD = 1e-3


@dataclass(frozen=True)
class GrainSizes:
    """Grains at the times of the snapshots; a grain keeps its number as long as it lives."""

    times: Array
    #: Areas in nm² (volumes in nm³), by grain, per time.
    areas: tuple[dict[int, float], ...]
    #: Number of sides, by grain, per time.
    sides: tuple[dict[int, int], ...]


def grain_map(order_parameters: Array, periodic: Sequence[bool]) -> Labels:
    """Return the grain of each cell: regions, connected over periodic sides, in which one order parameter is largest.

    Parameters
    ----------
    order_parameters
        Of shape (order parameter, z, y, x) or (order parameter, y, x).
    periodic
        Per axis of the arrays, from the first.
    """
    winner = order_parameters.argmax(axis=0)
    out, count = np.zeros(winner.shape, dtype=np.int64), 0
    for place in range(len(order_parameters)):
        labels, found = label(winner == place)
        out = np.where(labels > 0, labels + count, out)
        count += found
    return _joined(out, winner, periodic)


def _joined(labels: Labels, winner: Labels, periodic: Sequence[bool]) -> Labels:
    """Give regions that continue on the other side of the box one number, and number all from 0."""
    parent = np.arange(labels.max() + 1)

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = parent[parent[one]]
            one = int(parent[one])
        return one

    for axis, wraps in enumerate(periodic):
        if wraps:
            first, last = labels.take(0, axis).ravel(), labels.take(-1, axis).ravel()
            same = (winner.take(0, axis) == winner.take(-1, axis)).ravel()
            for a, b in np.unique(np.stack([first[same], last[same]]), axis=1).T:
                parent[root(int(a))] = root(int(b))
    roots = np.array([root(one) for one in range(len(parent))])
    return np.asarray(np.unique(roots[labels], return_inverse=True)[1].reshape(labels.shape))


def sides_of(grains: Labels, periodic: Sequence[bool]) -> dict[int, int]:
    """Return the number of sides of each grain of a plane, which is that of the points where it meets two others.

    Counting neighbours would not do: large grains of a small box share two sides with the same neighbour. Grains at a
    side of the box that is not periodic are left out: they end there. Of three dimensions nothing is returned.
    """
    if grains.ndim != 2:
        return {}
    corners = np.stack([np.roll(grains, shift, (0, 1)) for shift in ((0, 0), (-1, 0), (0, -1), (-1, -1))])
    kept = corners[:, : None if periodic[0] else -1, : None if periodic[1] else -1].reshape(4, -1)
    ordered = np.sort(kept, axis=0)
    fresh = np.concatenate([np.ones((1, ordered.shape[1]), dtype=bool), np.diff(ordered, axis=0) != 0])
    meeting = fresh.sum(axis=0) >= 3
    counts = np.bincount(ordered[:, meeting][fresh[:, meeting]], minlength=int(grains.max()) + 1)
    edges = [grains.take(end, axis).ravel() for axis in (0, 1) if not periodic[axis] for end in (0, -1)]
    outer = set(np.concatenate(edges).tolist()) if edges else set()
    return {int(grain): int(counts[grain]) for grain in np.unique(grains) if int(grain) not in outer}


def areas_of(order_parameters: Array, grains: Labels, cell_volume: float) -> dict[int, float]:
    """Return the area of each grain: the integral of its own order parameter over all that is nearest to it.

    The tail of an order parameter beyond a boundary makes up for what is missing on the near side, so that the area is
    exact for any width of the boundary; a count of cells would jump from cell to cell.
    """
    count = int(grains.max()) + 1
    total = np.zeros(count)
    winner = order_parameters.argmax(axis=0)
    for place, values in enumerate(order_parameters):
        own = winner == place
        if not own.any():
            continue
        _, nearest = distance_transform_edt(~own, return_indices=True)
        labels = grains[tuple(nearest)]
        above = values > _THRESHOLD
        total += np.bincount(labels[above], weights=values[above], minlength=count) * cell_volume
    return {grain: float(area) for grain, area in enumerate(total)}


@dataclass(frozen=True)
class GrainMap:
    """The grains at a time: the number of the grain in each cell, which it keeps as long as it lives."""

    time: float
    #: Side lengths of the box, along x, y, z.
    box: tuple[float, ...]
    grains: NDArray[np.int32]
    #: Ση², 1 inside of grains.
    bounds: NDArray[np.float32]
    #: Area of each grain, and number of sides of each that ends within the box.
    areas: dict[int, float]
    sides: dict[int, int]


def grain_maps(snapshots: Snapshots, periodic: Sequence[bool], most: int) -> list[GrainMap]:
    """Return the grains at the times of the snapshots, at most `most` of them.

    Parameters
    ----------
    periodic
        Along x, y, z.
    """
    names = snapshots.names_like(r"gr\d+")
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, min(most, len(snapshots))).round().astype(int))
    wraps = tuple(reversed(tuple(periodic)))
    found: list[GrainMap] = []
    before: Labels | None = None
    ids: dict[int, int] = {}
    following = 0
    for index in chosen:
        values = snapshots.fields(names, int(index))
        grains = grain_map(values, wraps)
        ids = _continued(grains, before, ids, following)
        following, before = max(following, max(ids.values()) + 1), grains
        numbers = np.array([ids[grain] for grain in range(len(ids))])
        grid = snapshots.grid(int(index))
        areas = areas_of(values, grains, grid.cell_volume)
        found.append(
            GrainMap(
                float(snapshots.times[index]),
                tuple(high - low for low, high in zip(grid.lower, grid.upper, strict=True)),
                numbers[grains].astype(np.int32),
                (values**2).sum(axis=0).astype(np.float32),
                {ids[grain]: area for grain, area in areas.items()},
                {ids[grain]: count for grain, count in sides_of(grains, wraps).items()},
            )
        )
    return found


def maps_of(case: Case, files: RunFiles) -> list[GrainMap]:
    """Return the grains in the snapshots of a run; none if there are no snapshots that can be read."""
    if files.exodus is None:
        return []
    periodic = tuple(bool(case[f"periodic_{axis}"]) for axis in "xyz"[: dimension_of(case)])
    try:
        stamp = files.exodus.stat()
        return _read_maps(files.exodus, periodic, (stamp.st_mtime_ns, stamp.st_size))
    except (OSError, UnreadableOutput):
        return []


def sizes_of(maps: Sequence[GrainMap]) -> GrainSizes | None:
    """Return areas and sides of all grains; None without snapshots."""
    if not maps:
        return None
    return GrainSizes(
        np.array([one.time for one in maps]), tuple(one.areas for one in maps), tuple(one.sides for one in maps)
    )


# Checks and figures of a run ask one after the other; the stamp tells a file that has grown since.
@lru_cache(maxsize=1)
def _read_maps(path: Path, periodic: tuple[bool, ...], stamp: tuple[int, int]) -> list[GrainMap]:
    with Snapshots(path) as snapshots:
        if not snapshots.names_like(r"gr\d+") or not len(snapshots):
            return []
        return grain_maps(snapshots, periodic, _MOST_SNAPSHOTS)


def _continued(grains: Labels, before: Labels | None, ids: dict[int, int], following: int) -> dict[int, int]:
    """Give each grain the number of the one that most of its cells belonged to; who finds none gets a new one."""
    count = int(grains.max()) + 1
    if before is None or before.shape != grains.shape:
        return {grain: following + grain for grain in range(count)}
    shared = np.zeros((count, int(before.max()) + 1), dtype=np.int64)
    np.add.at(shared, (grains.ravel(), before.ravel()), 1)
    out: dict[int, int] = {}
    taken: set[int] = set()
    for grain in np.argsort(-shared.max(axis=1), kind="stable"):
        old = ids[int(shared[grain].argmax())]
        if shared[grain].max() > 0 and old not in taken:
            out[int(grain)] = old
            taken.add(old)
        else:
            out[int(grain)] = following
            following += 1
    return out
