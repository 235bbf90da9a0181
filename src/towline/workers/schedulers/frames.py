"""Framed output: what one program said, found again in whatever else a login node prints.

::

    @towline@ begin squeue
    ... its standard output, as it is ...
    @towline@ end squeue <exit code> <its standard error in base64, or ->
"""

import base64
import binascii
import re
from dataclasses import dataclass

#: Defines the shell function `towline_ask NAME PROGRAM ARGUMENTS...`. Standard output is passed on as it comes.
PRELUDE = r"""LC_ALL=C; export LC_ALL
exec 3>&1
towline_encode() { towline_encoded=$(printf '%s' "$1" | base64 | tr -d '\n'); printf '%s' "${towline_encoded:--}"; }
towline_ask() {
  towline_name=$1; shift
  printf '\n@towline@ begin %s\n' "$towline_name"
  towline_error=$("$@" 2>&1 >&3 3>&-)
  towline_code=$?
  printf '\n@towline@ end %s %s %s\n' "$towline_name" "$towline_code" "$(towline_encode "$towline_error")"
}
"""

_BEGIN = re.compile(r"^@towline@ begin (\S+)\n", re.MULTILINE)
_END = "\n@towline@ end {} "


@dataclass(frozen=True, slots=True)
class Frame:
    """What one program said."""

    name: str
    output: str
    error: str
    exit_code: int

    @property
    def text(self) -> str:
        """Everything it said, in one line."""
        return " ".join(f"{self.error} {self.output}".split())


def read_frames(output: str) -> dict[str, Frame]:
    """The frames that are whole, by name; the last one of each name."""
    return {
        frame.name: frame for match in _BEGIN.finditer(output) if (frame := _frame(match[1], output, match.end() - 1))
    }


def _frame(name: str, output: str, start: int) -> Frame | None:
    mark = _END.format(name)
    end = output.find(mark, start)
    if end < 0:
        return None
    words = output[end + len(mark) :].partition("\n")[0].split()
    # Two words and the end of the line: otherwise the answer was cut off within it.
    if len(words) != 2 or not words[0].isdigit() or "\n" not in output[end + len(mark) :]:
        return None
    error = decode(words[1])
    return None if error is None else Frame(name, output[start + 1 : end], error, int(words[0]))


def decode(word: str) -> str | None:
    """The text in a word of base64; None when it is none."""
    if word == "-":
        return ""
    try:
        return base64.b64decode(word, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return None
