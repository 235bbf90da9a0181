"""Where something stands in an input, what is wrong with it, and which name was probably meant."""

from collections.abc import Iterable
from dataclasses import dataclass

from towline.errors import InvalidRequest

#: The "file" of values that came from the command line.
COMMAND_LINE = "CLI_ARGS"

#: What a problem amounts to: an error ends the run, the others are printed.
ERROR, WARNING, INFORMATION = "error", "warning", "information"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an input; lines and columns count from 1."""

    file: str = "built in Python"
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}.{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth knowing, about an input."""

    text: str
    #: None when it concerns the input as a whole.
    position: Position | None = None
    severity: str = ERROR

    def __str__(self) -> str:
        return self.text if self.position is None else f"{self.position}: {self.text}"

    def error(self) -> "InvalidInputFile":
        """Make this problem an exception."""
        return InvalidInputFile((self,))


class InvalidInputFile(InvalidRequest):
    """An input has mistakes; `problems` are all of them, each with its place."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def raise_errors(problems: Iterable[Problem]) -> None:
    """Raise what is wrong, if anything is.

    Raises
    ------
    InvalidInputFile
        At least one of the problems is an error; all the errors are in it.
    """
    errors = tuple(problem for problem in problems if problem.severity == ERROR)
    if errors:
        raise InvalidInputFile(errors)


def edit_distance(left: str, right: str) -> int:
    """Count the letters to insert, delete or replace between two words (Levenshtein)."""
    previous = list(range(len(right) + 1))
    for row, one in enumerate(left, start=1):
        current = [row]
        for column, other in enumerate(right, start=1):
            substitution = previous[column - 1] + (one != other)
            current.append(min(previous[column] + 1, current[-1] + 1, substitution))
        previous = current
    return previous[-1]


def nearest_name(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate with the smallest edit distance that is at most 1 + a fifth of the length, or None."""
    # A name of one letter is not near to every other one.
    limit = min(1 + len(name) // 5, len(name) - 1)
    near = [(edit_distance(name, other), other) for other in candidates if abs(len(other) - len(name)) <= limit]
    distance, found = min(near, default=(limit + 1, ""))
    return found if distance <= limit else None


def suggestion(name: str, candidates: Iterable[str]) -> str:
    """Return a question with the nearest candidate, or nothing."""
    near = nearest_name(name, candidates)
    return f". Did you mean '{near}'?" if near else ""
