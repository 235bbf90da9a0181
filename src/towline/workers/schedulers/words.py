"""Resources in a scheduler's own words: checked, and written as directives."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from towline.core.resources import PORTABLE_NAMES
from towline.errors import InvalidRequest

#: Free lines for the top of the script, in the scheduler's own syntax.
VERBATIM = "qverbatim"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a scheduler."""

    scheduler: str
    #: What a directive begins with: ``#SBATCH``.
    prefix: str
    #: ``{word: option}``, where ``{}`` in the option stands for the value.
    options: Mapping[str, str]
    #: ``{word: (option when true, option when false)}``.
    flags: Mapping[str, tuple[str, str | None]]
    #: ``{other name: word}``.
    synonyms: Mapping[str, str]
    #: Writes a value so that the scheduler reads it as it is; raises :class:`ValueError` when it cannot.
    quote: Callable[[str], str]

    def directives(self, words: Mapping[str, Any]) -> list[str]:
        """One line for each word, and the free lines last.

        Raises
        ------
        InvalidRequest
            There is no such word, or it cannot have this value.
        """
        known = self._by_name(words)
        verbatim = known.pop(VERBATIM, None)
        lines = [f"{self.prefix} {option}" for word, value in known.items() if (option := self._option(word, value))]
        if verbatim is not None:
            if not isinstance(verbatim, str):
                raise InvalidRequest(f"the resource {VERBATIM} is {verbatim!r}; it should be text")
            lines.extend(verbatim.splitlines())
        return lines

    def _by_name(self, words: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for given, value in words.items():
            name = given.lstrip("-").replace("-", "_")
            name = self.synonyms.get(name, name)
            if name != VERBATIM and name not in self.options and name not in self.flags:
                raise InvalidRequest(self._unknown(given, name))
            if name in found and found[name] != value:
                raise InvalidRequest(f"the resource {name} is given twice, as {found[name]!r} and as {value!r}")
            if value not in (None, "", [], ()):
                found[name] = value
        return found

    def _unknown(self, given: str, name: str) -> str:
        known = sorted({*self.options, *self.flags, *self.synonyms, *PORTABLE_NAMES, VERBATIM})
        near = difflib.get_close_matches(name, known, 3, 0.5)
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else "."
        return (
            f"{self.scheduler} does not know the resource {given!r}{meant} "
            f"What has no word of its own can be given in {VERBATIM}, as lines that begin with {self.prefix}"
        )

    def _option(self, word: str, value: Any) -> str | None:
        if isinstance(value, bool) and word in self.flags:
            return self.flags[word][0 if value else 1]
        if word not in self.options:
            raise InvalidRequest(f"the resource {word} is {value!r}; it should be true or false")
        if isinstance(value, bool):
            raise InvalidRequest(f"the resource {word} is {value!r}; it should be text or a number")
        option = self.options[word]
        separator = ":" if option.endswith("filesystems={}") else ","
        text = separator.join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
            raise InvalidRequest(f"the resource {word} is {text!r}; it should be one line without control characters")
        try:
            return option.format(self.quote(text))
        except ValueError as error:
            raise InvalidRequest(f"the resource {word} is {text!r}: {error}") from error
