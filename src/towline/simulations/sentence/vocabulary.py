"""Words of sentences: those of every physics, and those of one, which stand in ``phrases.toml`` in its folder."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from towline.errors import ConfigurationError
from towline.simulations.application import Application, Parameter

Phrase = tuple[str, ...]


@dataclass(frozen=True)
class ParameterWords:
    """What a number has to be, and which words have to stand beside it, to mean a parameter."""

    name: str
    measures: str = "number"
    phrases: tuple[Phrase, ...] = ()
    alone: bool = False
    """Whether a unit of this kind is enough."""
    axes: tuple[str, ...] = ()
    """The parameters of the three directions, of which the first is this one."""
    before: bool = False
    """Whether the words have to stand before the number: the seed 3, not 3 seeds."""
    other_component: tuple[Phrase, ...] = ()
    """Words that mean one minus the value."""
    together: Mapping[str, bool | int | float | str] = field(default_factory=dict)
    """Values of other parameters that come with it."""


@dataclass(frozen=True)
class Vocabulary:
    """The words of one physics."""

    application: Application
    names: tuple[Phrase, ...]
    hints: tuple[Phrase, ...]
    parameters: tuple[ParameterWords, ...]
    derived: Mapping[str, tuple[Phrase, ...]]
    """Quantities that are no parameters, but give some: ``element_size``, ``mean_diameter``, ``mean_radius``."""
    options: Mapping[str, Mapping[str, tuple[Phrase, ...]]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    """Units that hold with one value of a parameter only."""
    without_material: str = ""

    def parameter(self, name: str) -> Parameter | None:
        """The parameter with this name or alias; capitals count in names of one or two letters."""
        exact = [one for one in self.application.parameters if name == one.name or name in one.aliases]
        if exact or len(name) < 3:
            return exact[0] if exact else None
        wanted = name.casefold()
        for one in self.application.parameters:
            if wanted in {other.casefold() for other in (one.name, *one.aliases) if len(other) > 2}:
                return one
        return None

    def words_of(self, name: str) -> ParameterWords | None:
        """The words of a parameter, if it has any."""
        return next((one for one in self.parameters if one.name == name), None)


@dataclass(frozen=True)
class CommonWords:
    """The words that mean the same for every physics."""

    seeds: tuple[Phrase, ...]
    logarithmic: tuple[Phrase, ...]
    linear: tuple[Phrase, ...]
    solver: Mapping[str, tuple[Phrase, ...]]
    backend: Mapping[str, tuple[Phrase, ...]]
    boundaries: Mapping[str, tuple[Phrase, ...]]
    dimensions: Mapping[str, tuple[Phrase, ...]]
    wishes: tuple[Phrase, ...]
    unavailable: Mapping[str, tuple[Phrase, ...]]
    filler: frozenset[str]


def phrases(texts: Iterable[str]) -> tuple[Phrase, ...]:
    """Phrases as words, the longest first."""
    return tuple(sorted({tuple(text.casefold().split()) for text in texts}, key=len, reverse=True))


@lru_cache(maxsize=1)
def common_words() -> CommonWords:
    """The words that mean the same for every physics."""
    table = _read(Path(__file__).with_name("phrases.toml"))
    groups = {
        name: {key: phrases(texts) for key, texts in table[name].items()}
        for name in ("solver", "backend", "boundaries", "dimensions", "unavailable")
    }
    return CommonWords(
        seeds=phrases(table["seeds"]),
        logarithmic=phrases(table["logarithmic"]),
        linear=phrases(table["linear"]),
        wishes=phrases(table["wishes"]["words"]),
        filler=frozenset(table["filler"]["words"].split()),
        **groups,
    )


def vocabulary(application: Application) -> Vocabulary:
    """The words of a physics: its ``phrases.toml``, and the names and aliases of its parameters.

    Raises
    ------
    ConfigurationError
        The file is no TOML, or names a parameter that the physics does not have.
    """
    file = application.remedies_file.with_name("phrases.toml")
    table = _read(file) if file.is_file() else {}
    known = {one.name for one in application.parameters}
    unknown = sorted(set(table.get("parameters", {})) - known)
    if unknown:
        raise ConfigurationError(f"{file}: {application.name} has no parameter {', '.join(unknown)}")
    return Vocabulary(
        application,
        names=phrases(
            [*table.get("names", ()), application.name, application.name.replace("_", " "), application.label]
        ),
        hints=phrases(table.get("hints", ())),
        parameters=tuple(_parameter_words(table.get("parameters", {}))),
        derived={name: phrases(entry["words"]) for name, entry in table.get("derived", {}).items()},
        options={
            name: {choice: phrases(texts) for choice, texts in choices.items()}
            for name, choices in table.get("options", {}).items()
        },
        units=table.get("units", {}),
        without_material=table.get("without_material", ""),
    )


def _parameter_words(table: Mapping[str, Mapping[str, Any]]) -> Iterator[ParameterWords]:
    for name, entry in table.items():
        yield ParameterWords(
            name,
            measures=entry.get("measures", "number"),
            phrases=phrases(entry.get("words", ())),
            alone=bool(entry.get("alone", False)),
            axes=tuple(entry.get("axes", ())),
            before=bool(entry.get("before", False)),
            other_component=phrases(entry.get("other_component", ())),
            together=dict(entry.get("together", {})),
        )


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the words of sentences in {file} cannot be read: {error}") from error
