"""What is known of materials: ``materials.toml``, with sources."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from towline.simulations.application import Scalar


@dataclass(frozen=True)
class MaterialData:
    """What is known of a material for one physics."""

    values: Mapping[str, Scalar]
    """Of parameters, in their units."""
    source: str
    temperature_kelvin: float | None = None
    """The only temperature at which they hold; None: at any."""


@dataclass(frozen=True)
class Material:
    """A material that sentences may name."""

    name: str
    label: str
    symbols: tuple[str, ...]
    """Compared with their capitals."""
    names: tuple[str, ...]
    physics: Mapping[str, MaterialData] = field(default_factory=dict)
    melting_temperature_kelvin: float | None = None
    solute: str = ""
    """The component whose concentration is the parameter."""
    solvent: str = ""


@lru_cache(maxsize=1)
def materials() -> tuple[Material, ...]:
    """Every material, in the order of the table."""
    return tuple(_material(name, dict(entry)) for name, entry in _table().items() if name != "atomic_weights")


def material(name: str) -> Material | None:
    """The material with this symbol or name, or None."""
    wanted = name.casefold()
    for one in materials():
        if name in one.symbols or wanted in (one.name, *(other.casefold() for other in one.names)):
            return one
    return None


def atomic_fraction(weight_fraction: float, solute: str, solvent: str) -> float:
    """The atomic fraction of a solute, from its fraction by weight.

    Raises
    ------
    KeyError
        The atomic weight of a component is not in the table.
    """
    weights = _table()["atomic_weights"]
    solute_moles = weight_fraction / float(str(weights[solute]))
    return solute_moles / (solute_moles + (1 - weight_fraction) / float(str(weights[solvent])))


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, object]]:
    return tomllib.loads(Path(__file__).with_name("materials.toml").read_text(encoding="utf-8"))


def _material(name: str, entry: dict[str, object]) -> Material:
    physics = {key: _data(value) for key, value in entry.items() if isinstance(value, dict)}
    melting = entry.get("melting_temperature_kelvin")
    return Material(
        name,
        str(entry["label"]),
        tuple(_texts(entry["symbols"])),
        tuple(_texts(entry["names"])),
        physics,
        float(melting) if isinstance(melting, int | float) else None,
        str(entry.get("solute", "")),
        str(entry.get("solvent", "")),
    )


def _texts(values: object) -> list[str]:
    return [str(one) for one in values] if isinstance(values, list) else []


def _data(entry: Mapping[str, object]) -> MaterialData:
    values = entry["values"]
    temperature = entry.get("temperature_kelvin")
    return MaterialData(
        dict(values) if isinstance(values, dict) else {},
        str(entry["source"]),
        float(temperature) if isinstance(temperature, int | float) else None,
    )
