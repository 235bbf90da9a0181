"""What is stored of a flow: edges, references, settings; and what is refused, with which words."""

import random
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any

import networkx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobflow import Flow, Job, JobConfig, JobOrder, OnMissing, job
from qtoolkit.core.data_objects import QResources

from towline.core.documents import decode
from towline.core.records import NewFlow, NewJob
from towline.errors import InvalidFlow
from towline.jobflow.convert import flow_to_records
from towline.jobflow.job_document import read_job, read_plain_job
from towline.testing import jobflow_samples as samples
from towline.testing.jobs import add, fail, total


def parents_of(flow: NewFlow) -> dict[str, set[str]]:
    return {new.uuid: set(new.parents) for new in flow.jobs}


def jobflow_parents(flow: Flow) -> dict[str, set[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {found.uuid: set(parents) for found, parents in flow.iterflow()}


def closure(parents: dict[str, set[str]]) -> set[tuple[str, str]]:
    graph = networkx.DiGraph([(parent, child) for child, found in parents.items() for parent in found])
    return set(networkx.transitive_closure(graph).edges)


def random_flow(generator: random.Random, linear: bool) -> Flow:
    """A flow of flows; with linear order only where jobflow itself knows the order."""
    made: list[Job] = []

    def element(depth: int, order: JobOrder, inside: list[Job]) -> Flow | Job:
        if depth == 0 or generator.random() < 0.5:
            known = inside if linear else made
            references = [generator.choice(known).output for _ in range(generator.randint(0, 2)) if known]
            new = total([1, *references])
            made.append(new)
            inside.append(new)
            return new
        below: list[Job] = []
        chosen = JobOrder.LINEAR if linear and generator.random() < 0.5 else JobOrder.AUTO
        return Flow([element(depth - 1, chosen, below) for _ in range(generator.randint(1, 3))], order=chosen)

    order = JobOrder.LINEAR if linear else JobOrder.AUTO
    parts: list[Flow | Job] = []
    for _ in range(4):
        parts.append(element(2, order, []))
    generator.shuffle(parts)
    return Flow(parts, order=order)


@pytest.mark.parametrize("seed", range(40))
def test_edges_are_those_of_jobflow(seed: int) -> None:
    flow = random_flow(random.Random(seed), linear=False)
    assert parents_of(flow_to_records(flow)) == jobflow_parents(flow)


@pytest.mark.parametrize("seed", range(40))
def test_linear_order_is_that_of_jobflow(seed: int) -> None:
    flow = random_flow(random.Random(seed), linear=True)
    assert closure(parents_of(flow_to_records(flow))) == closure(jobflow_parents(flow))


def test_a_flow_inside_a_linear_flow_may_use_what_stands_before_it() -> None:
    """jobflow finds a cycle here: it counts the job outside among the roots of the inner flow."""
    first, free = add(1, 2), add(3, 4)
    user = add(first.output, 1)
    records = flow_to_records(Flow([first, Flow([user, free])], order=JobOrder.LINEAR))
    assert parents_of(records) == {first.uuid: set(), user.uuid: {first.uuid}, free.uuid: {first.uuid}}


def test_a_linear_flow_skips_empty_flows() -> None:
    first, second = add(1, 2), add(3, 4)
    records = flow_to_records(Flow([first, Flow([]), second], order=JobOrder.LINEAR))
    assert parents_of(records)[second.uuid] == {first.uuid}


def test_jobs_come_after_their_parents_and_otherwise_in_the_order_of_the_flow() -> None:
    first, second, third = add(1, 2), add(3, 4), add(5, 6)
    last = add(third.output, 1)
    records = flow_to_records(Flow([first, last, second, third]))
    assert [new.uuid for new in records.jobs] == [first.uuid, third.uuid, last.uuid, second.uuid]


def test_identity_name_metadata_and_hosts_are_kept() -> None:
    inner = Flow([inside := add(1, 2)], name="inner")
    inside.metadata = {"a": {"b": [1]}, "time": samples.datetime(2026, 1, 1)}
    inside.name, inside.index = "my name", 3
    flow = Flow([inner], name="outer", metadata={"project": "x"})
    records = flow_to_records(flow, jobstore="big")
    assert (records.uuid, records.name, records.metadata, records.jobstore) == (
        flow.uuid,
        "outer",
        {"project": "x"},
        "big",
    )
    (new,) = records.jobs
    assert (new.uuid, new.name, new.index, new.hosts) == (inside.uuid, "my name", 3, (inner.uuid, flow.uuid))
    assert new.metadata == {"a": {"b": [1]}, "time": "2026-01-01 00:00:00"}
    orjson.dumps([new.metadata])


def test_references_are_what_has_to_be_loaded(one_payload: Callable[[Job], NewJob]) -> None:
    first = add(1, 2)
    assert one_payload(add(first.output, 1)).references == (first.uuid,)
    unresolved = add(first.output, 1)
    unresolved.config.resolve_references = False
    record = one_payload(unresolved)
    assert (record.references, record.parents) == ((), (first.uuid,))
    exposed = add(first.output, 1)
    exposed.config = JobConfig(resolve_references=False, expose_store=True)
    assert one_payload(exposed).references == (first.uuid,)


@pytest.mark.parametrize(
    ("policy", "accepts"), [(OnMissing.ERROR, False), (OnMissing.NONE, True), (OnMissing.PASS, True)]
)
def test_policies_for_missing_references(
    policy: OnMissing, accepts: bool, one_payload: Callable[[Job], NewJob]
) -> None:
    new = add(1, 2)
    new.config.on_missing_references = policy
    assert one_payload(new).accepts_failed_parents is accepts


def test_settings_of_the_manager_config(one_payload: Callable[[Job], NewJob]) -> None:
    new = add(1, 2)
    resources = QResources(processes=3, time_limit=60)
    new.config.manager_config = {"worker": "far", "priority": 0, "resources": resources, "exec_config": {}}
    record = one_payload(new)
    assert (record.worker, record.priority, record.exec_config) == ("far", 0, {})
    assert record.resources is not None
    assert record.resources["processes"] == 3
    assert QResources.from_dict({**record.resources}) == resources
    orjson.dumps(record.resources)
    unset = one_payload(add(1, 2))
    assert (unset.worker, unset.priority, unset.exec_config, unset.resources) == (None, None, None, None)


def test_names_of_additional_stores(one_payload: Callable[[Job], NewJob]) -> None:
    assert one_payload(samples.with_additional()).additional_stores == ("data",)


def test_external_references_become_parents_when_allowed() -> None:
    outside = add(1, 2)
    inside = add(outside.output, 1)
    records = flow_to_records(inside, allow_external_references=True)
    assert records.jobs[0].parents == records.jobs[0].references == (outside.uuid,)


def refused(flow: Any, **options: Any) -> str:
    with pytest.raises(InvalidFlow) as caught:
        flow_to_records(flow, **options)
    return str(caught.value)


def test_an_external_reference_is_refused_by_name() -> None:
    outside = add(1, 2)
    message = refused(add(outside.output, 1))
    assert "job 'add'" in message
    assert outside.uuid in message
    assert "allow_external_references=True" in message


def test_a_cycle_is_refused_with_the_jobs_on_it() -> None:
    first, second, third = add(1, 2), add(1, 2), add(1, 2)
    for new, name in zip((first, second, third), "abc", strict=True):
        new.name = name
    first.function_args, second.function_args, third.function_args = (
        (second.output, 1),
        (third.output, 1),
        (first.output, 1),
    )
    message = refused(Flow([add(third.output, 1), first, second, third]))
    assert message.startswith("jobs wait for each other: ")
    assert all(f"'{name}'" in message for name in "abc")


def test_a_job_that_waits_for_itself_is_refused() -> None:
    new = add(1, 2)
    new.function_args = (new.output, 1)
    assert "wait for each other" in refused(new)


def test_two_jobs_with_one_uuid_are_refused() -> None:
    first, second = add(1, 2), add(1, 2)
    second.set_uuid(first.uuid)
    assert first.uuid in refused(Flow([Flow([first]), Flow([second])]))


def test_a_flow_without_jobs_is_refused() -> None:
    assert "has no jobs" in refused(Flow([Flow([])]))


def test_a_job_of_another_flow_is_refused() -> None:
    new = add(1, 2)
    Flow([new])
    assert "submit the flow that the job belongs to" in refused(new)


def test_something_that_is_no_job_is_refused() -> None:
    assert "type int is neither a Flow nor a Job" in refused([add(1, 2), 3])
    assert "type float is neither a Flow nor a Job" in refused(1.5)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: 1, ["a lambda", "use `def` at the top level"]),
        ("".join, ["cannot be run by another process"]),
    ],
)
def test_functions_without_a_name_are_refused(function: Any, words: list[str]) -> None:
    message = refused(Job(function, name="mine"))
    assert "job 'mine'" in message
    assert all(word in message for word in words), message


def test_a_function_inside_a_function_is_refused() -> None:
    @job
    def inside() -> int:
        return 1

    message = refused(inside())
    assert "is defined inside another function" in message
    assert "top level" in message


def test_a_function_whose_name_stands_for_another_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    new = add(1, 2)
    monkeypatch.setattr(sys.modules["towline.testing.jobs"], "add", lambda a, b: a)
    assert "stands for something else" in refused(new)


def test_a_module_that_no_import_finds_is_refused() -> None:
    module = types.ModuleType("loaded_by_hand")
    exec("def f():\n    return 1", vars(module))
    sys.modules["loaded_by_hand"] = module
    try:
        message = refused(Job(module.f))
    finally:
        del sys.modules["loaded_by_hand"]
    assert "is not found by `import loaded_by_hand`" in message
    assert "install it" in message


def test_a_value_that_cannot_be_written_is_named_with_its_place() -> None:
    new = samples.identity(1)
    new.function_kwargs = {"value": {"a": [1, {"b": (x for x in ())}]}}
    message = refused(new)
    assert "argument 'value', at ['a'][1]['b']," in message
    assert "generator" in message


def test_text_that_is_not_unicode_is_refused_with_its_place() -> None:
    message = refused(samples.identity(value={"a": ["\ud800"]}))
    assert "its ['function_kwargs']['value']['a'][0] is text that is not valid Unicode" in message


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    new = samples.identity(1)
    new.function_args = (value,)
    assert "contains itself" in refused(new)


@pytest.mark.parametrize(("key", "value"), [("worker", 3), ("priority", "high"), ("priority", True), ("resources", 4)])
def test_a_setting_of_the_wrong_type_is_refused(key: str, value: Any) -> None:
    new = add(1, 2)
    new.config.manager_config = {key: value}
    assert f"has {value!r} as its {key}" in refused(new)


def test_the_flow_is_not_changed() -> None:
    first = add(1, [2])
    flow = Flow([first, samples.describe((first.output, {1: 2}))])
    before = [dict(new.__dict__) for new in flow]
    flow_to_records(flow)
    assert [dict(new.__dict__) for new in flow] == before


@pytest.mark.parametrize("order", JobOrder)
def test_the_work_grows_with_the_number_of_jobs_and_not_faster(order: JobOrder) -> None:
    def calls(count: int) -> int:
        jobs = [add(1, 2)]
        for _ in range(count):
            jobs.append(add(jobs[-1].output, 1))
        flow, counted = Flow(jobs, order=order), [0]

        def count_call(_frame: Any, event: str, _argument: Any) -> None:
            counted[0] += event in ("call", "c_call")

        sys.setprofile(count_call)
        try:
            flow_to_records(flow)
        finally:
            sys.setprofile(None)
        return counted[0]

    calls(10)  # the first time modules are looked up
    assert calls(400) < 4.2 * calls(100)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(PLAIN)
def test_arguments_come_back_exactly(value: Any) -> None:
    made = Job(samples.describe.original, ([value], 1), {"keyword": value}, name="n")
    (new,) = flow_to_records(made).jobs
    content = decode(new.payload)
    back = read_job(content["job"])
    assert repr((back.function_args, back.function_kwargs)) == repr((made.function_args, made.function_kwargs))
    rest = {"function", "function_args", "function_kwargs"}
    assert {key: item for key, item in back.__dict__.items() if key not in rest} == {
        key: item for key, item in made.__dict__.items() if key not in rest
    }
    if content.get("plain"):
        assert repr(content["job"]["function_kwargs"]) == repr(made.function_kwargs)


def test_every_attribute_of_a_job_comes_back() -> None:
    made = samples.AddMaker(constant=4).make(1, 2)
    made.metadata = {"m": (1, 2)}
    made.update_metadata({"x": 1}, callback_filter=lambda job: True)
    made.update_config({"manager_config": {"resources": QResources(processes=2)}}, function_filter=add)
    made.append_name("!")
    made.config.on_missing_references = OnMissing.PASS
    made._kwargs = {"data": ["array", samples.Point], "other": samples.Color.RED}
    made.output_schema = samples.Measurement
    (new,) = flow_to_records(made).jobs
    back = read_job(decode(new.payload)["job"])
    assert back.function.__self__ == made.function.__self__
    assert back.config == made.config
    assert back.config.on_missing_references is OnMissing.PASS
    assert (back.metadata, back.name, back._kwargs) == (made.metadata, made.name, made._kwargs)
    assert (back.output_schema, back.output.output_schema) == (samples.Measurement, samples.Measurement)
    assert back.config_updates[0]["function_filter"].original is add.original
    assert back.metadata_updates[0]["callback_filter"](back) is True
    document = decode(flow_to_records(add(1, 2)).jobs[0].payload)["job"]
    assert read_plain_job(document, [1], {}).__dict__.keys() == back.__dict__.keys()


def test_a_failing_job_is_like_any_other_to_convert() -> None:
    assert flow_to_records(fail("x")).jobs[0].name == "fail"
