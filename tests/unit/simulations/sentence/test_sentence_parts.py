"""Numbers, units and expressions of sentences, and the words of a physics that brings none."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towline.errors import ConfigurationError, InvalidRequest
from towline.simulations import registry
from towline.simulations.application import Parameter
from towline.simulations.materials import atomic_fraction, material, materials
from towline.simulations.sentence import read
from towline.simulations.sentence.quantities import quantity_at
from towline.simulations.sentence.tokens import tokens
from towline.simulations.sentence.units import converted, unit_at
from towline.simulations.sentence.vocabulary import vocabulary


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("three hundred and seven hundred and fifty", [300, 750]),
        ("seven hundred fifty and two thousand one hundred and one", [750, 2101]),
        ("two hundred and fifty and three hundred", [250, 300]),
        ("one hundred and fifty thousand", [150_000]),
        ("one hundred thousand, twenty-five, ninety nine", [100_000, 25, 99]),
        ("a hundred, a dozen, half a, a quarter", [100, 12, 0.5, 0.25]),
        ("two and a half", [2.5]),
        ("forty-six point seven seven", [46.77]),
        ("50 thousand and 1.5 million", [50_000, 1_500_000]),
        ("1,000 and 12,500 and 2,500", [1000, 12_500, 2500]),
        ("300,450,600", [300, 450, 600]),
        ("1e3, 2.5e-6, .5, 2.5 × 10^-6, 3x10⁻³, 4*10**2", [1e3, 2.5e-6, 0.5, 2.5e-6, 3e-3, 400]),
        ("-5, −5, minus five, (-3)", [-5, -5, -5, -3]),
        ("300-750, 300–750, 300 - 750", [300, 750, 300, 750, 300, 750]),
        ("zero, none, one, zero point five", [0, 1, 0.5]),
    ],
)
def test_numbers_are_read_however_they_are_written(text: str, values: list[float]) -> None:
    assert [one.value for one in tokens(text) if one.kind == "number"] == pytest.approx(values)


@given(st.integers(1, 999_999))
def test_spelled_numbers_are_read(number: int) -> None:
    (token,) = tokens(spelled(number))
    assert token.value == number


def spelled(number: int) -> str:
    """A number in English words."""
    small = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    small += " seventeen eighteen nineteen"
    tens = "twenty thirty forty fifty sixty seventy eighty ninety"
    if number < 20:
        return small.split()[number]
    if number < 100:
        rest = number % 10
        return tens.split()[number // 10 - 2] + (f"-{small.split()[rest]}" if rest else "")
    if number < 1000:
        return f"{spelled(number // 100)} hundred" + (f" and {spelled(number % 100)}" if number % 100 else "")
    rest = number % 1000
    return f"{spelled(number // 1000)} thousand" + (f" {'and ' * (rest < 100)}{spelled(rest)}" if rest else "")


@pytest.mark.parametrize(
    ("text", "target", "value"),
    [
        ("°C", "K", 773.15),
        ("degrees Celsius", "K", 773.15),
        ("µm", "nm", 500_000),
        ("μm", "nm", 500_000),
        ("Å", "nm", 50),
        ("microseconds", "ns", 500_000),
        ("h", "s", 1_800_000),
        ("weeks", "s", 302_400_000),
        ("meV", "eV", 0.5),
        ("kJ/mol", "eV", 5.1821346),
        ("mJ/m²", "J/m^2", 0.5),
        ("m⁴/(J·s)", "m^4/(J*s)", 500),
        ("m^4/Js", "m^4/(J*s)", 500),
    ],
)
def test_units_are_converted(text: str, target: str, value: float) -> None:
    found = unit_at(f" {text} rest", 0)
    assert found is not None
    assert converted(500, found[0], target) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["Kr", "nmx", "Cr", "mesh", "steps", "grains", "hundred", "seeds", "Fe", "dimensions", "cells"]
)
def test_words_are_no_units(text: str) -> None:
    assert unit_at(f" {text}", 0) is None


def test_units_that_measure_something_else_are_refused() -> None:
    found = unit_at("nm", 0)
    assert found is not None
    with pytest.raises(InvalidRequest, match="nm"):
        converted(1.0, found[0], "K")


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("300, 450 and 600 K", "list", (300, 450, 600)),
        ("500 nm and 1 µm", "list", (500, 1)),
        ("between 300 and 750 K", "range", (300, 750)),
        ("from 300 up to 750 K", "range", (300, 750)),
        ("1000 x 500 nm", "product", (1000, 500)),
        ("10 by 20 by 30", "product", (10, 20, 30)),
        ("0.5 ± 0.02", "spread", (0.5, 0.02)),
        ("750 K, 4", "one", (750,)),
        ("750 K and 4 nm", "one", (750,)),
        ("600 K until 5", "one", (600,)),
    ],
)
def test_numbers_that_belong_together_are_found(text: str, kind: str, values: tuple[float, ...]) -> None:
    found = quantity_at(tokens(text), 0)
    assert found is not None
    assert (found.kind, found.values) == (kind, values)


def test_weight_becomes_atomic_percent() -> None:
    assert atomic_fraction(0.45, "Cr", "Fe") == pytest.approx(0.4677, abs=1e-4)
    assert atomic_fraction(0.0, "Cr", "Fe") == 0.0
    assert atomic_fraction(1.0, "Cr", "Fe") == 1.0


def test_every_material_with_values_has_a_source_and_values_of_parameters() -> None:
    for one in materials():
        for physics, data in one.physics.items():
            assert len(data.source) > 20
            assert set(data.values) <= {other.name for other in registry.find(physics).parameters}
    assert material("Cu") is material("COPPER")
    assert material("cu") is None


@dataclass
class Rods:
    """A physics of somebody else, without phrases."""

    name: str = "cooling"
    label: str = "Cooling of rods"
    description: str = "Rods that cool"
    parameters: tuple[Parameter, ...] = (
        Parameter("T_start", 300.0, "temperature", unit="K", aliases=("T",)),
        Parameter("length", 10.0, "length", unit="nm"),
        Parameter("rods", 1, "rods", int),
        Parameter("insulated", False, "insulated", bool),
    )
    presets: dict[str, Any] = field(default_factory=dict)
    sweepable: tuple[str, ...] = ("T_start",)
    executable_key: str = "MOOSE_EXEC"
    remedies_file: Path = Path("none.toml")


def test_a_physics_without_phrases_is_spoken_of_by_names_of_parameters() -> None:
    plan = read(
        "cooling of rods with T = 100, 200 and 300 °C, length 1 µm, rods = 3, insulated = yes", {"cooling": Rods()}
    )  # type: ignore[dict-item]
    assert plan.sweep == {"T_start": (373.15, 473.15, 573.15)}
    assert {name: value.value for name, value in plan.stated.items()} == {
        "length": 1000.0,
        "rods": 3,
        "insulated": True,
    }
    assert plan.not_understood == ()


def test_phrases_of_parameters_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    rods = Rods(remedies_file=tmp_path / "remedies.toml")
    (tmp_path / "phrases.toml").write_text("[parameters.colour]\nwords = ['red']", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="colour"):
        vocabulary(rods)  # type: ignore[arg-type]
    (tmp_path / "phrases.toml").write_text("[[", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        vocabulary(rods)  # type: ignore[arg-type]


def test_phrases_name_parameters_that_exist() -> None:
    for name in ("grain_growth", "spinodal"):
        words = vocabulary(registry.find(name))
        known = {one.name for one in words.application.parameters}
        for one in words.parameters:
            assert set(one.axes) <= known
            assert set(one.together) <= known
        assert set(words.options) <= known
