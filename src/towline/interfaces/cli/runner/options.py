"""Options that several commands about the runner share."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from towline.interfaces.cli.parameters import Option


class LogLevel(str, Enum):
    """How much the runner logs."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"
    DEBUG = "debug"

    @staticmethod
    def text(level: "LogLevel | None") -> str | None:
        """The level as operations take it; None is what the project says."""
        return None if level is None else level.value


LogLevelOption = Annotated[
    LogLevel | None, Option("--log-level", "-log", help="How much it logs; otherwise as the project says.")
]
MaxWait = Annotated[
    float, Option("--max-wait", "-m", help="Seconds to wait at most; 0 is for ever.", metavar="SECONDS", min=0)
]
Interactive = Annotated[
    bool,
    Option(
        "--connect-interactive", "-i", refused="is for workers on other machines; there are none here: leave it out"
    ),
]
SetPid = Annotated[
    bool, Option("--set-pid", "-pid", refused="is not needed: every runner is registered with its process id")
]


@dataclass
class Halt:
    """How a runner is brought to an end."""

    wait: Annotated[bool, Option("--wait/--no-wait", "-w", help="Wait until it has ended.")] = True
    everything: Annotated[bool, Option("--all", "-a", help="The runners of all projects.")] = False
    json: Annotated[
        str | None,
        Option("--json", "-j", help="Write JSON into this file; without a name, print it.", metavar="[PATH]", bare="-"),
    ] = None
    max_wait: MaxWait = 120

    @property
    def seconds(self) -> float | None:
        """How long to wait; None is for ever."""
        return (self.max_wait or None) if self.wait else 0
