"""What the programs that submit say when they refuse, and what to do about it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from towline.workers.schedulers.scheduler import Refusal

#: Longest message that is kept; the end of what a program says is the most telling.
_LONGEST_MESSAGE = 600


@dataclass(frozen=True, slots=True)
class RefusalTable:
    """Patterns in the words of one scheduler, the first that is found decides."""

    #: The program, for messages: ``sbatch``.
    program: str
    #: ``(regular expression, remedy, whether the same submission may be accepted later)``.
    rows: Sequence[tuple[str, str, bool]]

    def explain(self, exit_code: int, text: str) -> Refusal:
        """What a refusal means."""
        said = " ".join(text.split())[-_LONGEST_MESSAGE:]
        if exit_code == 127 or re.search(r"command not found|: not found$", said):
            remedy = (
                f"{self.program} is not on the PATH of a login on this host: check host and login_shell of the worker, "
                "or load its module in pre_run"
            )
            return Refusal(said or f"{self.program} was not found", remedy, False, exit_code)
        for pattern, remedy, may_retry in self.rows:
            if re.search(pattern, said, re.IGNORECASE):
                return Refusal(said, remedy, may_retry, exit_code)
        message = said or f"{self.program} ended with exit code {exit_code} and said nothing"
        return Refusal(message, f"try {self.program} with submit.sh in the run folder by hand", False, exit_code)
