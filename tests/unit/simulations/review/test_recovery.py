"""What is changed before a run that failed is repeated."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towline.core.retry_policy import raised
from towline.simulations import registry
from towline.simulations.application import Case, Origin, Parameter, Value
from towline.simulations.parameters import check, checked
from towline.simulations.recovery import Correction, correct, proposals
from towline.simulations.remedies import Change, Remedy, read_remedies
from towline.simulations.review import Diagnosis

PHYSICS = ("grain_growth", "spinodal")
APPLICATIONS = {name: registry.find(name) for name in PHYSICS}
REMEDIES = {name: read_remedies(one.remedies_file) for name, one in APPLICATIONS.items()}
GRAINS = APPLICATIONS["grain_growth"]


def grain_case(**values: object) -> Case:
    """A case of grain growth."""
    return GRAINS.resolve(check(GRAINS, {"T": 600, "num_grains": 60, **values}))


def diagnosis(failure: str, physics: str = "grain_growth", **numbers: float) -> Diagnosis:
    """A diagnosis of a class."""
    return Diagnosis(REMEDIES[physics][failure], "evidence", "log", numbers=numbers)


def next_of(case: Case, failure: str, attempt: int = 1, **more: object) -> Correction | None:
    """The correction of a case of grain growth."""
    return correct(case, diagnosis(failure), attempt, GRAINS.parameters, **more)  # type: ignore[arg-type]


def test_a_solver_that_diverges_gets_shorter_steps_and_more_iterations() -> None:
    case = grain_case()
    found = next_of(case, "SOLVER_DIVERGENCE")
    assert found is not None
    changed = found.applied(case)
    assert changed.number("dt_start") == pytest.approx(case.number("dt_start") / 2)
    assert changed.number("dtmax") == pytest.approx(case.number("dtmax") / 2)
    assert changed.number("dtmin") < case.number("dtmin")
    assert changed["nl_max_its"] == 2 * int(case.number("nl_max_its"))
    assert changed.values["dtmax"].origin is Origin.CORRECTED
    assert "derived" in changed.values["dtmax"].note
    assert "dtmax" in found.note
    assert changed["end_time"] == case["end_time"]


def test_shorter_steps_are_more_steps_where_their_number_ends_the_run() -> None:
    found = next_of(grain_case(num_steps=100), "SOLVER_DIVERGENCE")
    assert found is not None
    assert found.changes["num_steps"].value == 200


@pytest.mark.parametrize("physics", PHYSICS)
def test_no_remedy_touches_what_is_simulated(physics: str) -> None:
    application = APPLICATIONS[physics]
    case = application.resolve({})
    numerical = {one.name for one in application.parameters if one.numerical}
    for remedy in REMEDIES[physics].entries:
        found = correct(case, Diagnosis(remedy, "", "log", numbers={"grains to": 1e9}), 1, application.parameters)
        if found is not None:
            assert set(found.changes) <= numerical
            for name, value in found.applied(case).values.items():
                parameter = next(one for one in application.parameters if one.name == name)
                assert checked(parameter, value.value).value == value.value


def test_the_input_of_a_corrected_case_is_accepted() -> None:
    from towline.simulations.moose import checking, input_file

    for physics, application in APPLICATIONS.items():
        case = application.resolve({})
        for remedy in REMEDIES[physics].entries:
            found = correct(case, Diagnosis(remedy, "", "log", numbers={"grains to": 1e9}), 1, application.parameters)
            if found is not None and found.changes:
                tree = input_file.parse(application.input_text(found.applied(case)), "case.i").root
                assert [one for one in checking.check(tree).problems if one.severity == "error"] == []


def test_a_remedy_that_names_a_physical_parameter_does_nothing() -> None:
    remedy = Remedy("X", "title", "advice", changes=(Change("T", multiply=2), Change("nothing", set=1)))
    assert correct(grain_case(), Diagnosis(remedy, "", "log"), 1, GRAINS.parameters) is None


def test_attempts_are_bounded() -> None:
    case = grain_case()
    assert next_of(case, "SOLVER_DIVERGENCE", 2) is not None
    assert next_of(case, "SOLVER_DIVERGENCE", 3) is None
    assert next_of(case, "SOLVER_DIVERGENCE", 3, attempts=5) is not None
    assert next_of(case, "SOLVER_DIVERGENCE", 1, attempts=1) is None


@pytest.mark.parametrize("failure", ["INPUT_ERROR", "MISSING_EXECUTABLE", "DISK_FULL", "CRASHED", "PROBLEM_TOO_LARGE"])
def test_what_no_change_of_numbers_cures_is_not_repeated(failure: str) -> None:
    assert next_of(grain_case(), failure) is None


def test_a_longer_run_is_made_only_while_grains_are_left() -> None:
    case = grain_case()
    none_left = correct(case, diagnosis("KINETICS_NOT_ASYMPTOTIC", **{"grains to": 12.0}), 1, GRAINS.parameters)
    assert none_left is None
    assert proposals(case, diagnosis("KINETICS_NOT_ASYMPTOTIC")) == {"num_grains": 180}
    many_left = correct(case, diagnosis("KINETICS_NOT_ASYMPTOTIC", **{"grains to": 90.0}), 1, GRAINS.parameters)
    assert many_left is not None
    assert set(many_left.changes) == {"end_time"}


def test_order_parameters_become_more_and_stay_whole() -> None:
    found = next_of(grain_case(op_num=5), "OP_COLOURING")
    assert found is not None
    assert found.changes["op_num"].value == 8
    assert isinstance(found.changes["op_num"].value, int)


def test_a_value_at_its_limit_is_left_alone() -> None:
    found = next_of(grain_case(nl_max_its=100), "SOLVER_DIVERGENCE")
    assert found is not None
    assert "nl_max_its" not in found.changes
    beyond = next_of(grain_case(nl_max_its=300), "SOLVER_DIVERGENCE")
    assert beyond is not None
    assert "nl_max_its" not in beyond.changes


def test_the_same_change_for_the_same_failure_is_made_once() -> None:
    case = grain_case()
    remedy = Remedy("X", "title", "advice", changes=(Change("scheme", set="implicit-euler"),))
    first = correct(case, Diagnosis(remedy, "", "log"), 1, GRAINS.parameters)
    assert first is not None
    assert correct(first.applied(case), Diagnosis(remedy, "", "log"), 2, GRAINS.parameters, earlier=[first]) is None
    assert correct(case, Diagnosis(remedy, "", "log"), 2, GRAINS.parameters, earlier=[first]) is None
    other = replace(first, failure="Y")
    assert correct(case, Diagnosis(remedy, "", "log"), 2, GRAINS.parameters, earlier=[other]) is not None


def test_a_time_limit_grows_where_there_is_one() -> None:
    found = next_of(grain_case(), "WALLTIME", resources=("time_limit", "nodes"))
    assert found is not None
    assert found.resources == {"time_limit": 2.0}
    assert found.changes == {}
    assert next_of(grain_case(), "WALLTIME", resources=("nodes",)) is None
    again = next_of(grain_case(), "WALLTIME", 2, resources=("time_limit",), earlier=[found])
    assert again is not None


def test_more_time_leaves_the_rest_of_the_request_alone() -> None:
    asked = {"nodes": 1, "time_limit": 43_200, "account": "m1", "scheduler_kwargs": {"ntasks": 32}}
    found = next_of(grain_case(), "WALLTIME", resources=asked)
    assert found is not None
    assert raised(asked, found.resources) == {**asked, "time_limit": 86_400}


def test_an_interrupted_run_is_repeated_as_it_was() -> None:
    found = next_of(grain_case(), "INTERRUPTED")
    assert found is not None
    assert found.changes == {}
    assert found.applied(grain_case()).values == grain_case().values


VALUES = st.one_of(st.integers(-10, 10**6), st.floats(1e-9, 1e9), st.booleans(), st.sampled_from(["a", "b"]))


@settings(max_examples=200, deadline=None)
@given(
    VALUES,
    st.sampled_from(["multiply", "add", "set"]),
    st.floats(-10, 10),
    st.none() | st.floats(0, 100),
    st.none() | st.floats(100, 1000),
    st.booleans(),
)
def test_a_change_stays_within_its_range_and_its_kind(
    old: float | int | bool | str, operation: str, by: float, low: float | None, high: float | None, numerical: bool
) -> None:
    kind = type(old)
    parameter = Parameter("p", old, "help", kind, minimum=low, maximum=high, numerical=numerical)
    remedy = Remedy("X", "title", "advice", changes=(Change("p", **{operation: by}),))  # type: ignore[arg-type]
    case = Case("x", {"p": Value(old, Origin.DEFAULT)})
    found = correct(case, Diagnosis(remedy, "", "log"), 1, [parameter])
    if found is None:
        return
    assert numerical
    value = found.changes["p"].value
    assert value != old
    assert kind is not bool or isinstance(value, bool)
    if kind is int:
        assert isinstance(value, int)
    if not isinstance(value, str):
        assert low is None or value >= low
        assert high is None or value <= high
