"""Options that several commands about the runner share."""

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
