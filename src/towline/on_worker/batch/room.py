"""What the jobs of a pilot may take of their node, and what is free of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from towline.on_worker.batch.spool import Need


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the allocation has on a node."""

    cores: int
    #: 0 when nothing is known about it, so that it limits nobody.
    memory_megabytes: int = 0
    #: Names of the GPUs, as the variable for them wants them.
    gpus: tuple[str, ...] = ()
    #: Numbers of the processors, when each job can be bound to its own; empty when they are only counted.
    processors: tuple[int, ...] = ()

    def refusal(self, need: Need) -> str | None:
        """Why a job could not run here even if it had the node for itself; None when it could."""
        if need.cores > self.cores:
            return f"it asks for {need.cores} cores, and a node of the allocation has {self.cores}"
        if need.gpus > len(self.gpus):
            return f"it asks for {need.gpus} GPUs, and a node of the allocation has {len(self.gpus)}"
        if self.memory_megabytes and need.memory_megabytes > self.memory_megabytes:
            has = f"{self.memory_megabytes} MB"
            return f"it asks for {need.memory_megabytes} MB of memory, and a node of the allocation has {has}"
        return None


@dataclass(frozen=True, slots=True)
class Seat:
    """What a job has got."""

    need: Need
    processors: tuple[int, ...]
    gpus: tuple[str, ...]
    #: Whether it counts among the jobs of the node: one over several nodes does so on the one that starts it.
    slot: bool = True


class Room:
    """The free part of a node.

    Parameters
    ----------
    slots
        How many jobs may run at the same time, whatever they take.
    """

    def __init__(self, capacity: Capacity, slots: int) -> None:
        self.capacity = capacity
        self.slots = slots
        self._taken = 0
        self._cores = capacity.cores
        self._memory_megabytes = capacity.memory_megabytes
        self._processors = list(capacity.processors)
        self._gpus = list(capacity.gpus)

    @property
    def is_full(self) -> bool:
        """Whether not even the smallest job fits."""
        return self._taken >= self.slots or self._cores < 1

    @property
    def free(self) -> tuple[int, int, int]:
        """Processors, memory in megabytes and GPUs that nobody has."""
        return self._cores, self._memory_megabytes, len(self._gpus)

    def fits(self, need: Need) -> bool:
        """Whether there is room for it now."""
        return self._taken < self.slots and self.fits_beside(need)

    def fits_beside(self, need: Need) -> bool:
        """Whether there is room for it that another node starts."""
        return has_room(self.free, need, knows_memory=bool(self.capacity.memory_megabytes))

    def take(self, need: Need, *, slot: bool = True) -> Seat:
        """Give a job its place; only when it fits."""
        self._taken += slot
        self._cores -= need.cores
        self._memory_megabytes -= need.memory_megabytes
        return Seat(need, _cut(self._processors, need.cores), _cut(self._gpus, need.gpus), slot)

    def without_slot(self, seat: Seat) -> Seat:
        """The same place for a job that another node starts."""
        self._taken -= seat.slot
        return replace(seat, slot=False)

    def give_back(self, seat: Seat) -> None:
        """A job has ended."""
        self._taken -= seat.slot
        self._cores += seat.need.cores
        self._memory_megabytes += seat.need.memory_megabytes
        self._processors.extend(seat.processors)
        self._processors.sort()
        self._gpus.extend(seat.gpus)
        self._gpus.sort(key=self.capacity.gpus.index)


def has_room(free: Sequence[int], need: Need, *, knows_memory: bool) -> bool:
    """Whether a job fits into so many processors, megabytes and GPUs."""
    enough_memory = not knows_memory or need.memory_megabytes <= free[1]
    return need.cores <= free[0] and need.gpus <= free[2] and enough_memory


_Item = TypeVar("_Item")


def _cut(stock: list[_Item], count: int) -> tuple[_Item, ...]:
    taken = tuple(stock[:count])
    del stock[:count]
    return taken


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts, by weight; the first ones have more where it cannot be divided."""
    parts = [total * weight // sum(weights) for weight in weights]
    for position in range(total - sum(parts)):
        parts[position % len(parts)] += 1
    return parts
