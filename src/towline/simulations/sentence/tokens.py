"""A sentence as a row of words, numbers with their units, and signs."""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from towline.errors import InvalidRequest
from towline.simulations.sentence.units import Unit, unit_at

#: A sentence is a sentence, not a book.
LONGEST_SENTENCE = 4000

_NUMBER = (
    r"(?P<number>(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)(?:\.\d+)?(?:[eE][-+−]?\d+)?|\.\d+(?:[eE][-+−]?\d+)?)"
    r"(?:\s*[×x*·]\s*10(?:\s*(?:\^|\*\*)\s*(?P<power>[-+−]?\d{1,3})(?![.\d])|(?P<raised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3})))?"
)
_TOKEN = re.compile(
    r"(?P<dimension>(?<![\w.])[123]\s?-?\s?[dD](?:im)?\b)|(?P<unclear>(?<![\d.,])\d+,(?:\d{1,2}|\d{4,})(?![\d,.]))"
    rf"|{_NUMBER}|(?P<cross>(?<=[\dm])[xX](?=\d))|(?P<word>[^\W\d_]\w*)|(?P<sign>\.\.\.|\+/?-|\S)"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {word: value for value, word in enumerate(_SMALL)} | {word: 20 + 10 * at for at, word in enumerate(_TENS)}
_GROUPS = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_WHOLE = {"dozen": 12.0, "half": 0.5, "quarter": 0.25}
_MINUS = "-−–—"


@dataclass(frozen=True)
class Token:
    """A word, a number, a sign, or a dimension such as ``2-D``."""

    kind: str
    """``word``, ``number``, ``sign``, ``dimension``, or ``unclear`` for a number that may be read in two ways."""
    text: str
    start: int
    end: int
    value: float = 0.0
    """Of numbers and dimensions."""
    unit: Unit | None = None
    whole: bool = False
    """Whether the number is written as a whole one."""

    @property
    def word(self) -> str:
        """The text for comparing, without regard to capitals."""
        return self.text.casefold()

    @property
    def singular(self) -> str:
        """The word without the ending of a plural."""
        return singular(self.word)


def singular(word: str) -> str:
    """A word without the ending of a plural, as it is written for comparing."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def tokens(text: str) -> list[Token]:
    """Cut a sentence into tokens; a number takes its sign and its unit with it.

    Raises
    ------
    InvalidRequest
        The text is empty, too long, or no text that people write.
    """
    if not text.strip():
        raise InvalidRequest('the sentence is empty; try: tow simulate "grain growth in copper at 600 K, 100 grains"')
    if len(text) > LONGEST_SENTENCE:
        raise InvalidRequest(f"the sentence has {len(text)} characters; give at most {LONGEST_SENTENCE}")
    strange = sorted(
        {f"U+{ord(one):04X}" for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Co")} - _SPACES
    )
    if strange:
        raise InvalidRequest(f"the sentence has characters that nobody sees ({', '.join(strange[:5])}); type it again")
    raw = [token for match in _TOKEN.finditer(text) for token in _read(match)]
    return _with_units(_with_signs(_with_number_words(raw, text), text), text)


_SPACES = {"U+0009", "U+000A", "U+000D"}


def _read(match: re.Match[str]) -> list[Token]:
    number = match["number"]
    groups = number.split(",") if number is not None else []
    # 300,450,600 is a list; 50,000 and 2,500 are one number.
    if len(groups) > 1 and len(groups[0]) == 3 and set(groups[1:]) != {"000"} and not _power(match):
        row, at = [], match.start()
        for group in groups:
            row.append(Token("number", group, at, at + len(group), float(group), whole=group.isdigit()))
            row.append(Token("sign", ",", at + len(group), at + len(group) + 1))
            at += len(group) + 1
        return row[:-1]
    return [_token(match)]


def _token(match: re.Match[str]) -> Token:
    kind = (match.lastgroup or "sign").replace("cross", "sign")
    start, end = match.span()
    if match["number"] is not None:
        digits = match["number"].replace(",", "").replace("−", "-")
        power = _power(match)
        value = _power_of_ten(float(digits), power)
        # What no computer holds is no number.
        kind = "number" if math.isfinite(value) else "unclear"
        return Token(kind, match[0], start, end, value, whole=digits.isdigit() and not power)
    if kind == "dimension":
        return Token(kind, match[0], start, end, float(match[0][0]), whole=True)
    return Token(kind, match[0], start, end)


def _power(match: re.Match[str]) -> int:
    """The power of ten that a number is multiplied with."""
    text = match["power"] or match["raised"] or "0"
    return int(text.translate(_SUPERSCRIPTS).replace("−", "-"))


def _power_of_ten(value: float, power: int) -> float:
    """A number times a power of ten, as it would be read: 2.5 × 10^-6 is 2.5e-6."""
    mantissa, _, exponent = repr(value).partition("e")
    return float(f"{mantissa}e{int(exponent or 0) + power}") if math.isfinite(value) else value


def _with_number_words(raw: Sequence[Token], text: str) -> list[Token]:
    """Put a number where one is spelled out: ``seven hundred and fifty``, ``half a``, ``a dozen``."""
    done: list[Token] = []
    at = 0
    while at < len(raw):
        value, end = _spelled(raw, at)
        if end == at:
            done.append(raw[at])
            at += 1
        else:
            span = raw[at].start, raw[end - 1].end
            done.append(Token("number", text[span[0] : span[1]], *span, value, whole=value.is_integer()))
            at = end
    return done


def _spelled(raw: Sequence[Token], at: int) -> tuple[float, int]:
    """The number that is spelled from a token on, and where it ends; the same position when there is none."""
    words = [token.word if token.kind == "word" else token.text for token in raw[at : at + 16]]
    if words[:2] in (["half", "a"], ["half", "an"]):
        return 0.5, at + 2
    skip = 1 if words[0] in ("a", "an") and len(words) > 1 and (words[1] in _GROUPS or words[1] in _WHOLE) else 0
    if words[skip] in _WHOLE:
        return _WHOLE[words[skip]], at + skip + 1
    if skip == 0 and words[0] not in _VALUES:
        return _digits_and_group(raw, at, words)
    value, length = (0.0, 1) if words[0] == "zero" else _sum_of_words(words[skip:], 1.0 if skip else 0.0)
    if words[skip + length :][:3] == ["and", "a", "half"]:
        return value + 0.5, at + skip + length + 3
    if words[skip + length :][:1] == ["point"]:
        digits = _after_point(words[skip + length + 1 :])
        if digits:
            return float(f"{value:g}.{digits}"), at + skip + length + 1 + len(digits)
    return value, at + skip + length


def _digits_and_group(raw: Sequence[Token], at: int, words: Sequence[str]) -> tuple[float, int]:
    """``50 thousand``, ``1.5 million``."""
    if raw[at].kind == "number" and len(words) > 1 and words[1] in ("thousand", "million", "hundred", "dozen"):
        return raw[at].value * (_GROUPS | {"dozen": 12})[words[1]], at + 2
    return 0.0, at


def _sum_of_words(words: Sequence[str], start: float) -> tuple[float, int]:
    """The value of number words from the first on, and how many they are."""
    total, group, at, last = 0.0, start, 0, 10**9
    while at < len(words):
        word = words[at]
        if word in _GROUPS and (group or total):
            if _GROUPS[word] == 100:
                group *= 100
            else:
                total, group = total + group * _GROUPS[word], 0.0
            last = _GROUPS[word]
        elif word in _VALUES and _fits(_VALUES[word], last):
            group += _VALUES[word]
            last = 10 if _VALUES[word] >= 20 else 1
        elif not (word in ("and", "-") and _goes_on(words, at, last)):
            break
        at += 1
    return total + group, at


def _fits(value: int, last: int) -> bool:
    """Whether a number word may follow one of this magnitude: forty-two, but not two forty."""
    return value > 0 and (last >= 100 or (last == 10 and value < 10))


def _goes_on(words: Sequence[str], at: int, last: int) -> bool:
    """Whether a number goes on after ``and`` or a hyphen: not in ``three hundred and seven hundred``."""
    following = words[at + 1] if at + 1 < len(words) else ""
    if following not in _VALUES or not _fits(_VALUES[following], last) or (words[at] == "and" and last < 100):
        return False
    if words[at] == "-":
        return True
    # In 'three hundred and seven hundred' the second one stands alone.
    rest = [word for word in words[at + 2 : at + 4] if word in _GROUPS or word in _VALUES]
    return not any(_GROUPS.get(word, 0) in range(1, last + 1) for word in rest)


def _after_point(words: Sequence[str]) -> str:
    digits = ""
    for word in words:
        if word not in _SMALL[:10]:
            break
        digits += str(_SMALL.index(word))
    return digits


def _with_signs(row: Sequence[Token], text: str) -> list[Token]:
    """Join a minus to its number where it is no dash between numbers or words."""
    done: list[Token] = []
    for token in row:
        if token.kind == "number" and done and _is_sign(done, token):
            sign = done.pop()
            value = token.value if sign.text == "+" else -token.value
            token = replace(token, text=text[sign.start : token.end], start=sign.start, value=value)
        done.append(token)
    return done


def _is_sign(before: Sequence[Token], number: Token) -> bool:
    """Whether the last token is the sign of the number that follows it."""
    sign = before[-1]
    if sign.word == "minus":
        return True
    if sign.text not in (*_MINUS, "+") or sign.end != number.start:
        return False
    other = before[-2] if len(before) > 1 else None
    apart = other is None or other.end < sign.start or other.text in ("=", "(", "[", ":", ",")
    return apart and (other is None or other.kind != "number")


def _with_units(row: Sequence[Token], text: str) -> list[Token]:
    """Join units to the numbers before them."""
    done: list[Token] = []
    covered = 0
    for token in row:
        if token.start < covered:
            continue
        if token.kind == "number" and (found := unit_at(text, token.end)) is not None:
            unit, covered = found
            token = replace(token, text=text[token.start : covered], end=covered, unit=unit)
        done.append(token)
    return done
