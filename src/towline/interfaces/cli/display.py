"""What commands show: JSON for programs, and words for times, sizes, states."""

import select
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson

from towline.core.states import FlowState, JobState
from towline.interfaces.cli.tables import Painted, visible

#: Colour of a state, and whether it is bold.
_COLOURS: Mapping[str, tuple[str, bool]] = {
    "WAITING": ("bright_black", False),
    "READY": ("yellow", False),
    "CHECKED_OUT": ("cyan", False),
    "UPLOADED": ("cyan", False),
    "SUBMITTED": ("cyan", False),
    "RUNNING": ("bright_blue", False),
    "RUN_FINISHED": ("cyan", False),
    "DOWNLOADED": ("cyan", False),
    "BATCH_SUBMITTED": ("cyan", False),
    "BATCH_RUNNING": ("bright_blue", False),
    "REMOTE_ERROR": ("magenta", True),
    "COMPLETED": ("green", False),
    "FAILED": ("red", True),
    "PAUSED": ("magenta", False),
    "STOPPED": ("magenta", False),
    "USER_STOPPED": ("magenta", False),
}


#: Whether to say what to type next; the setting `cli_suggestions`.
suggesting = True


def print_json(value: Any) -> None:
    """Print a value as JSON: times in ISO format with their zone, states by name."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    write_out(orjson.dumps(value, default=_plain, option=options).decode() + "\n")


def say(text: str) -> None:
    """Print a message for the user; it is no part of the output, and comes after what was printed before."""
    sys.stdout.flush()
    print(visible(text), file=sys.stderr)


def suggest(text: str) -> None:
    """Say what to type next, unless the user does not want to be told."""
    if suggesting:
        say(text)


def write_out(text: str) -> None:
    """Print text as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def is_unread() -> bool:
    """Whether the other end of a pipe that the output goes to was closed: ``tow events --follow | head -1``."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def state_text(state: JobState | FlowState, *, short: bool = False) -> Painted:
    """A state in its colour."""
    shown = state.short_code if short and isinstance(state, JobState) else state.value
    return Painted(shown, *_COLOURS[state.value])


def local_time(moment: datetime | None) -> str:
    """A time in the zone of the user, to the second."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float | None) -> str:
    """A duration such as ``1:02:03``; short ones with their milliseconds."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.3f} s"
    return str(timedelta(seconds=round(seconds)))


def size(number_of_bytes: int) -> str:
    """A size in bytes, KiB, MiB, ..."""
    amount = float(number_of_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("the last unit takes everything")


def plural(count: int, noun: str) -> str:
    """A number with its noun: ``1 job``, ``3 jobs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _plain(value: Any) -> Any:
    # What the job store gives may be any object; its text is better than no answer.
    return list(value) if isinstance(value, set | frozenset | tuple) else str(value)
