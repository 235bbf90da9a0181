"""A sentence while it is being read: what was used, and what came out of it so far."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from towline.simulations.application import Origin, Parameter, Scalar, Value
from towline.simulations.materials import Material
from towline.simulations.sentence.quantities import Quantity
from towline.simulations.sentence.tokens import Token, singular
from towline.simulations.sentence.vocabulary import ParameterWords, Phrase, Vocabulary

#: Written between the words of a phrase, without a meaning: Fe-Cr, two-dimensional.
DASHES = ("-", "−", "–", "—", "_")


@dataclass
class PendingRange:
    """A range whose values are not chosen yet."""

    parameter: Parameter
    quantity: Quantity
    source: str
    low: float
    high: float
    step: float | None
    count: int | None
    words: ParameterWords


@dataclass
class Reading:
    """The state of reading one sentence."""

    text: str
    row: list[Token]
    words: Vocabulary
    used: list[bool] = field(default_factory=list)
    material: Material | None = None
    values: dict[str, Value] = field(default_factory=dict)
    sweep: dict[str, tuple[Scalar, ...]] = field(default_factory=dict)
    ranges: list[PendingRange] = field(default_factory=list)
    counts: dict[str, tuple[int, str]] = field(default_factory=dict)
    """How many values a parameter has, and the words that say it; under the empty name, those of the only range."""
    derived: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Sizes in nm, and others, from which parameters follow, and the words that say them."""
    temperature: tuple[float, str] | None = None
    """Of a physics without a parameter for it, in kelvin, and the words that say it."""
    seeds: int | None = None
    solver: str = ""
    backend: str = ""
    logarithmic: bool = False
    understood: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    not_understood: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.used = [False] * len(self.row)

    @property
    def dimension(self) -> int:
        """How many directions there are, as far as it was said."""
        value = self.values.get("dim")
        if value is not None and isinstance(value.value, int):
            return value.value
        parameter = self.words.parameter("dim")
        return parameter.default if parameter is not None and isinstance(parameter.default, int) else 2

    def source(self, start: int, end: int) -> str:
        """The words from one position to another, as they were written."""
        return " ".join(self.text[self.row[start].start : self.row[end - 1].end].split())

    def take(self, start: int, end: int) -> str:
        """Use up the words from one position to another, and return them."""
        for at in range(start, end):
            self.used[at] = True
        return self.source(start, end)

    def match(self, at: int, phrase: Phrase) -> int | None:
        """The end of a phrase that begins at a position; None if it does not stand there, or was used."""
        for number, word in enumerate(phrase):
            while number and at < len(self.row) and self.row[at].text in DASHES:
                at += 1
            if at >= len(self.row) or self.used[at] or not _same(self.row[at], word):
                return None
            at += 1
        return at

    def longest(self, at: int, phrases: Iterable[Phrase]) -> int | None:
        """The end of the longest of some phrases that begins at a position, or None."""
        ends = [end for phrase in phrases if (end := self.match(at, phrase)) is not None]
        return max(ends, default=None)

    def find(self, phrases: Sequence[Phrase]) -> tuple[int, int] | None:
        """Where the first of some phrases stands, the longest one there; None if nowhere."""
        for at in range(len(self.row)):
            end = self.longest(at, phrases)
            if end is not None:
                return at, end
        return None

    def state(self, name: str, value: Scalar, source: str, *, note: str = "", origin: Origin = Origin.STATED) -> bool:
        """Give a parameter its value; one that has another value already keeps it, and that is told."""
        parameter = self.words.parameter(name)
        if parameter is None:
            self.not_understood.append(f"{source}: {self.words.application.name} has no parameter for it")
            return False
        present = self.values.get(parameter.name)
        if parameter.name in self.sweep or (present is not None and present.value != value):
            kept = self.sweep.get(parameter.name) or (present.value if present else None)
            self.not_understood.append(f"{source}: {parameter.name} is {text_of(kept)} already")
            return False
        if present is None:
            self.values[parameter.name] = Value(value, origin, parameter.unit, note or f"“{source}”")
        return True


def _same(token: Token, word: str) -> bool:
    """Whether a word is meant; singular and plural are the same."""
    return token.word == word or (token.kind == "word" and token.singular == singular(word))


def text_of(value: object) -> str:
    """A value, or several, as they are shown."""
    if isinstance(value, tuple | list):
        return ", ".join(text_of(one) for one in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)
