"""Jobs over several nodes of an allocation: how its pilots keep room for one on enough nodes, and who starts it.

Pilots tell each other everything with files. In a folder of the allocation, which has the mark of the job as its name:

``ask.json``
    The pilot of the first node of the allocation, and nobody else, asks all nodes for room: for one job at a time.
``seat<node>.json``
    This node has room for it, and keeps it.
``go.json``
    These nodes have it. The first one of them takes the entry from the spool and runs the job; the others keep the
    room until the folder is gone, and nodes that are not named give it to others.

The entry stays in the spool until the job begins, so nothing is lost when all of this is: what is in the folder only
says which room is kept. At first a job is asked for only where enough nodes seem to have room, and for moments. When it
was passed over for long, its nodes are *held*: they begin nothing that would come after it until it has its place.
"""

import contextlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from towline.on_worker.attempt_files import write_whole
from towline.on_worker.batch.crew import Crew
from towline.on_worker.batch.room import Room, Seat
from towline.on_worker.batch.spool import NEW, Entry

#: In the folder of the allocation.
WIDE_FOLDER = "wide"

_ASK, _SEAT, _GO = "ask.json", "seat", "go.json"

#: A job that was told to go and is still in the spool after this time has lost the node that was to start it.
_START_SECONDS = 30.0
#: How long nodes are asked for at a time as long as they are not held, and the pause after it came to nothing.
_MOMENT_SECONDS, _PAUSE_SECONDS = 3.0, 5.0


@dataclass(frozen=True, slots=True)
class Start:
    """A job that this node is to start, on the nodes with these names; `seat` is what it has here."""

    entry: Entry
    hosts: tuple[str, ...]
    seat: Seat


class WideJobs:
    """The part of one pilot in jobs over several nodes.

    Parameters
    ----------
    name
        Of this node, as launchers know it.
    """

    def __init__(self, allocation: Path, spool: str, crew: Crew, room: Room, *, name: str) -> None:
        #: No entry after this one is begun here, because it waits for room that is held.
        self.limit: str | None = None
        self._folder = allocation / WIDE_FOLDER
        self._spool = spool
        self._crew, self._room, self._name = crew, room, name
        self._seats: dict[str, Seat] = {}
        #: Marks of jobs that were told to go.
        self._going: set[str] = set()
        self._asked: tuple[Entry, float] | None = None
        self._told: list[tuple[Entry, float]] = []
        self._rest_until = 0.0
        self._given_up = False
        self._tidy()

    @property
    def busy(self) -> bool:
        """Whether a job has room here that another node started."""
        return bool(self._going)

    @property
    def waiting(self) -> bool:
        """Whether something may happen at any moment."""
        lent = self._seats.keys() <= self._going
        return not lent or self._asked is not None or bool(self._told) or self.limit is not None

    def nominate(self, entry: Entry, *, patient: bool) -> None:
        """There is such a job, and nothing more urgent fits; only the first node of an allocation asks for it.

        Parameters
        ----------
        patient
            False when it was passed over for so long that nodes are held for it.
        """
        now = time.monotonic()
        if self._crew.number != 0 or (patient and now < self._rest_until):
            return
        if self._asked is not None:
            asked, _ = self._asked
            if asked.mark != entry.mark or patient or self._read(asked.mark, _ASK).get("hold"):
                return
        elif patient and self._room.fits_beside(entry.need) + self._crew.free_for(entry.need) < entry.need.nodes:
            return
        (self._folder / entry.mark).mkdir(parents=True, exist_ok=True)
        self._write(entry.mark, _ASK, {"name": entry.name, "hold": not patient})
        self._asked = (entry, now)

    def look(self, *, closed: bool, may_start: bool) -> list[Start]:
        """Give and take room as the files say; return the jobs that are to be started here.

        Parameters
        ----------
        closed
            Whether this node has no more room to give.
        may_start
            Whether it may begin jobs; where not, it may lend room to those of others.
        """
        if self._given_up:
            return []
        self._conclude()
        self.limit = None
        starts = []
        marks = self._marks()
        for mark in marks:
            if mark in self._going:
                continue
            go = self._read(mark, _GO)
            if go:
                start = self._follow(mark, go)
                starts += [start] if start is not None else []
            elif not closed:
                self._offer(mark, may_start=may_start)
        for mark in set(self._seats) - set(marks):
            self._release(mark)
        return starts

    def finish(self, mark: str) -> None:
        """The job has ended, or does not begin: everybody may have the room again. That of this node is given back."""
        self._going.discard(mark)
        self._seats.pop(mark, None)
        self._remove(mark)

    def resume(self, mark: str) -> tuple[str, ...]:
        """After an earlier pilot of this node: the nodes of a job that it had."""
        go = self._read(mark, _GO)
        self._going.add(mark)
        return tuple(go.get("hosts", ()))

    def leave(self) -> None:
        """This node takes nothing any more: what has not begun gets no room here."""
        if self._asked is not None:
            self._remove(self._asked[0].mark)
            self._asked = None
        for mark in set(self._seats) - self._going:
            if not self._read(mark, _GO):
                self._unseat(mark)
        self.limit = None

    def give_up(self) -> None:
        """Everything is being ended, and so are the jobs that other nodes started."""
        self.leave()
        self._going.clear()
        self._given_up = True

    # The first node

    def _conclude(self) -> None:
        """Tell a job to go when enough nodes have room; ask no more for one that is not there any more."""
        self._watch_told()
        if self._asked is None:
            return
        entry, since = self._asked
        ask = self._read(entry.mark, _ASK)
        is_there = self._is_in_spool(entry)
        found = self._found(entry.mark) if ask and is_there else {}
        starters = [number for number, seat in found.items() if seat["may_start"]]
        if len(found) >= entry.need.nodes and starters:
            first = starters[0]
            others = [number for number in found if number != first][: entry.need.nodes - 1]
            chosen = [first, *others]
            self._write(entry.mark, _GO, {"nodes": chosen, "hosts": [found[number]["host"] for number in chosen]})
            self._told.append((entry, time.monotonic()))
            self._asked = None
        elif not ask or not is_there or (not ask["hold"] and time.monotonic() - since > _MOMENT_SECONDS):
            self._remove(entry.mark)
            self._asked, self._rest_until = None, time.monotonic() + _PAUSE_SECONDS

    def _watch_told(self) -> None:
        """A job whose first node did not take it is asked for anew."""
        now = time.monotonic()
        self._told = [(entry, at) for entry, at in self._told if self._is_in_spool(entry)]
        for entry, at in list(self._told):
            if now - at > _START_SECONDS:
                self._told.remove((entry, at))
                self._remove(entry.mark)

    def _is_in_spool(self, entry: Entry) -> bool:
        return os.path.exists(f"{self._spool}/{NEW}/{entry.name}")  # noqa: PTH110 - asked very often

    def _found(self, mark: str) -> dict[int, dict[str, Any]]:
        """The room that nodes gave, by their numbers."""
        found = {}
        for number in range(self._crew.size):
            seat = self._read(mark, f"{_SEAT}{number}.json")
            if seat and (number == self._crew.number or not self._crew.is_silent(number)):
                found[number] = seat
        return found

    # Every node

    def _offer(self, mark: str, *, may_start: bool) -> None:
        ask = self._read(mark, _ASK)
        entry = Entry.read(ask["name"]) if ask else None
        if entry is None or self._crew.is_silent(0):
            if mark in self._seats:
                self._unseat(mark)
            return
        if ask["hold"] and (self.limit is None or entry.name < self.limit):
            self.limit = entry.name
        if mark in self._seats or self._room.capacity.refusal(entry.need) is not None:
            return
        if self._room.fits_beside(entry.need):
            seat = self._seats[mark] = self._room.take(entry.need, slot=may_start and self._room.fits(entry.need))
            self._write(mark, self._own, {"host": self._name, "may_start": seat.slot})

    def _follow(self, mark: str, go: dict[str, Any]) -> Start | None:
        numbers = go["nodes"]
        if self._crew.number not in numbers:
            if mark in self._seats:
                self._unseat(mark)
            return None
        entry = Entry.read(self._read(mark, _ASK).get("name", ""))
        if entry is None:
            return None
        # A pilot that was started again has forgotten what it gave; there is room for it all the same.
        seat = self._seats.get(mark) or self._room.take(entry.need, slot=numbers[0] == self._crew.number)
        self._going.add(mark)
        if numbers[0] == self._crew.number:
            self._seats.pop(mark, None)
            return Start(entry, tuple(go["hosts"]), seat)
        self._seats[mark] = self._room.without_slot(seat)
        return None

    def _release(self, mark: str) -> None:
        self._room.give_back(self._seats.pop(mark))
        self._going.discard(mark)

    def _unseat(self, mark: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / mark / self._own).unlink()
        self._release(mark)

    # Files

    def _tidy(self) -> None:
        """After an earlier pilot of this node: forget room that nobody was told to use, and what was asked for."""
        for mark in self._marks():
            go, name = self._read(mark, _GO), self._read(mark, _ASK).get("name", "")
            entry = Entry.read(name)
            if not go:
                with contextlib.suppress(OSError):
                    (self._folder / mark / self._own).unlink()
            if self._crew.number == 0 and entry is not None and go:
                self._told.append((entry, time.monotonic()))
            elif self._crew.number == 0:
                self._remove(mark)

    @property
    def _own(self) -> str:
        return f"{_SEAT}{self._crew.number}.json"

    def _marks(self) -> list[str]:
        try:
            return [name for name in os.listdir(self._folder) if not name.startswith(".")]  # noqa: PTH208
        except FileNotFoundError:
            return []

    def _read(self, mark: str, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = orjson.loads((self._folder / mark / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def _write(self, mark: str, name: str, content: dict[str, Any]) -> None:
        # The folder may be gone by now, and the disk may be full: then the job waits on.
        with contextlib.suppress(OSError):
            write_whole(str(self._folder / mark / name), orjson.dumps(content))

    def _remove(self, mark: str) -> None:
        # Others look into it at any moment; what they see is either all of it or nothing.
        gone = self._folder / f".{mark}.{time.monotonic_ns()}"
        with contextlib.suppress(OSError):
            (self._folder / mark).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
