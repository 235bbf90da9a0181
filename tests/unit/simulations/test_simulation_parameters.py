"""What somebody states about a simulation is checked: names, kinds, ranges, units."""

import pytest

from towline.errors import InvalidRequest
from towline.simulations import registry
from towline.simulations.application import Origin, Value
from towline.simulations.parameters import check, check_values, described

GROWTH = registry.find("grain_growth")
SPINODAL = registry.find("spinodal")


def refusal(stated: dict[str, object]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        check(GROWTH, stated)
    return str(caught.value)


@pytest.mark.parametrize("name", ["n_grains", "num_grains", "grain_num", "N0"])
def test_other_names_of_a_parameter_mean_the_same(name: str) -> None:
    assert check(GROWTH, {name: 50}) == {"num_grains": Value(50, Origin.STATED)}


def test_an_unknown_name_is_refused_with_the_near_one() -> None:
    assert "Did you mean 'num_grains'?" in refusal({"num_grain": 3})
    assert "tow simulation show grain_growth" in refusal({"plasticity": 3})


def test_everything_that_is_wrong_is_told_at_once() -> None:
    told = refusal({"T": -5, "dim": 7, "periodic_x": "perhaps", "colour": 1})
    assert [line.split()[0] for line in told.splitlines()] == ["T", "dim", "periodic_x", "grain_growth"]
    assert "from 1 to 5000 K" in told


def test_a_parameter_under_two_names_is_refused() -> None:
    assert "twice" in refusal({"num_grains": 3, "n_grains": 4})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "warm", None, [3], 10**400, "1e999"])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    assert refusal({"T": value}).startswith("T is")


@pytest.mark.parametrize(
    ("stated", "kelvin"), [("500 degC", 773.15), ("500 °C", 773.15), ("800 K", 800), ("800", 800), (800, 800)]
)
def test_temperatures_are_taken_in_any_unit(stated: object, kelvin: float) -> None:
    assert check(GROWTH, {"T": stated})["T"].value == pytest.approx(kelvin)


def test_a_converted_value_keeps_what_was_said() -> None:
    value = check(GROWTH, {"xmax": "2 um"})["xmax"]
    assert value.value == pytest.approx(2000)
    assert (value.unit, value.note) == ("nm", "stated as 2 um")


@pytest.mark.parametrize("text", ["3 K", "3 furlongs", "3 __import__('os')", "3 m**9**9"])
def test_a_length_in_another_unit_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        check(GROWTH, {"xmax": text})


def test_whole_numbers_may_be_written_as_decimals_but_not_be_fractions() -> None:
    assert check(GROWTH, {"num_grains": 50.0})["num_grains"].value == 50
    assert "a whole number" in refusal({"num_grains": 50.5})


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "$(reboot)", "a b", "a;b", "", "-rf", ".hidden", "a..b", "é", "x" * 65, "a\nb", "`id`"]
)
def test_names_that_lead_elsewhere_or_mean_something_to_a_shell_are_refused(name: str) -> None:
    assert refusal({"run_name": name}).startswith("run_name is")


def test_words_are_taken_in_any_case_and_near_ones_are_named() -> None:
    assert check(SPINODAL, {"fe_mode": "fecr"})["fe_mode"].value == "FeCr"
    assert "Did you mean 'Voronoi'?" in refusal({"ic_type": "Voronoy"})


def test_values_that_were_read_elsewhere_keep_their_origin_and_are_held_against_the_range() -> None:
    read = {"T": Value(700.0, Origin.ASSUMED, "K", "hot")}
    assert check_values(GROWTH, read) == {"T": Value(700.0, Origin.ASSUMED, "K", "hot")}
    with pytest.raises(InvalidRequest):
        check_values(GROWTH, {"T": Value(-1.0, Origin.ASSUMED)})


def test_every_parameter_says_what_it_takes() -> None:
    for application in (GROWTH, SPINODAL):
        for parameter in application.parameters:
            assert described(parameter)
            if parameter.default is not None:
                assert check(application, {parameter.name: parameter.default})
