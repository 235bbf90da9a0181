"""Every kind of flow leaves the same documents as under `jobflow.run_locally`."""

import operator
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy
import pytest
from jobflow import Flow, Job, JobConfig, JobOrder, OnMissing
from jobflow.core.job import store_inputs

from towline.testing import jobflow_samples as samples
from towline.testing.jobflow_samples import Color, Measurement, Pair, Point
from towline.testing.jobs import add, fail, total

Compare = Callable[[Callable[[], Any]], Any]


def chain() -> Flow:
    first = add(1, 2)
    second = add(first.output, 3)
    return Flow([second, first], output=second.output, name="chain", metadata={"tag": 1})


def nested() -> Flow:
    first = add(1, 2)
    inner = Flow([add(first.output, 1), add(5, 6)], name="inner")
    deeper = Flow([Flow([add(7, 8)])])
    return Flow([first, inner, deeper, total([job.output for job in inner])])


def attributes_and_keys() -> Flow:
    data = samples.identity({"a": {"b": [10, {"c": 20}]}, "d": [1, 2, 3]})
    return Flow([data, add(data.output["a"]["b"][0], data.output["a"]["b"][1]["c"]), total(data.output.d)])


def references_inside_arguments() -> Flow:
    first, point = add(1, 2), samples.make_point(3, 4)
    return Flow(
        [
            first,
            point,
            samples.describe({"x": [first.output, {"y": point.output}], "z": (1, first.output)}),
            samples.describe([point.output.x, point.output.length]),
            samples.length_of(point.output),
            samples.describe(samples.OrderedDict(a=first.output)),
            samples.describe({1: first.output, "@module": "not a module"}),
        ]
    )


def arguments_of_every_type() -> list[Job]:
    values: list[Any] = [
        (1, (2, 3)),
        {1: "a", (2, 3): [None]},
        {"@module": "towline.testing.jobflow_samples", "@class": "Point", "x": 1, "y": 2},
        {"$date": "2026"},
        {"$tuple": [1]},
        {"$in": [1, 2]},
        [float("nan"), float("inf"), 2**80, 0.1, -0.0],
        numpy.arange(6.0).reshape(2, 3),
        numpy.float32(1.5),
        datetime(2026, 1, 2, 3, 4, 5, 678),
        Path("/a b/$(c)"),
        b"\x00\xff",
        Color.BLUE,
        Pair(1, Pair(2, 3)),
        samples.OrderedDict(b=1, a=2),
        Measurement(value=1.0, color=Color.BLUE),
        [Point(1, 2)],
        "quote ' \" $( ) \n \u2028 ☃",
        operator.add,
        dict,
        samples.AddMaker(constant=3, colors=[Color.BLUE]),
        {},
        [],
        "",
        None,
    ]
    return [samples.describe(value) for value in values]


def functions_as_arguments() -> list[Job]:
    return [samples.call(abs, -1), samples.call(lambda value: value + 1, 1), samples.call(Color, "red")]


def makers() -> Flow:
    maker = samples.AddMaker(constant=2.5)
    first = maker.make(1, 2)
    second = samples.SubMaker(name="renamed").make(first.output, 1)
    return Flow([first, second, samples.SquareThenAddMaker().make(2, 3)])


def class_jobs() -> list[Job]:
    return [samples.Tools.double(2), samples.Tools.scale(2), Job(operator.add, (1, 2)), Job(max, ([1, 5, 3],))]


def linear() -> Flow:
    return Flow(
        [add(1, 2), Flow([add(3, 4), add(5, 6)]), Flow([add(7, 8), add(9, 10)], order=JobOrder.LINEAR), add(11, 12)],
        order=JobOrder.LINEAR,
    )


def replacing() -> Flow:
    jobs = [
        samples.replace_by_job(1),
        samples.replace_by_flow(3),
        samples.return_list(),
        samples.return_dictionary(),
        samples.return_tuple(),
        samples.return_job(3),
        samples.replace_with_point(),
    ]
    children = [samples.describe(job.output) for job in jobs]
    return Flow([*jobs, *children, samples.replace_by_flow_without_output(), add(jobs[1].output["total"], 1)])


def adding_and_detouring() -> Flow:
    addition, detour = samples.add_jobs(1), samples.detour(2)
    return Flow([addition, add(addition.output, 1), detour, add(detour.output, 1), samples.detour_a_list()])


def using_an_earlier_job() -> Flow:
    earlier = add(1, 2)
    later = samples.replace_and_use_earlier(earlier.output)
    later.config.resolve_references = False
    return Flow([earlier, later])


def stopping_children() -> Flow:
    first = samples.stop_the_children()
    second = add(first.output, 1)
    return Flow([first, second, add(second.output, 1), add(5, 5)])


def schemas() -> Flow:
    measured = samples.measure(2)
    return Flow([measured, add(measured.output.value, 1), samples.describe(measured.output), samples.measure_wrongly()])


def additional_stores() -> Flow:
    first, second, third = samples.with_additional(), samples.all_additional(), samples.with_additional_class()
    last = samples.length_of(third.output["points"][0])
    return Flow(
        [
            first,
            second,
            third,
            last,
            samples.describe(first.output),
            total(first.output["array"]),
            add(second.output.a, 1),
        ]
    )


def rich_outputs() -> Flow:
    rich = samples.rich_output()
    keys = ["array", "nan", "time", "bytes", "measurement", "point", "tuple", "infinite", "unicode"]
    return Flow([rich, *(samples.describe(rich.output[key]) for key in keys), samples.length_of(rich.output["point"])])


def updates() -> Flow:
    jobs = [samples.replace_by_flow(2), samples.detour(1), samples.SquareThenAddMaker().make(1, 2)]
    flow = Flow(jobs, name="updated")
    flow.update_metadata({"tag": "all"})
    flow.update_metadata({"only": "add"}, name_filter="add")
    flow.update_metadata({"by": "function"}, function_filter=add)
    flow.update_metadata({"by": "callback"}, callback_filter=lambda job: "total" in job.name)
    flow.append_name(" appended")
    flow.update_config({"manager_config": {"worker": "elsewhere"}})
    flow.update_config({"expose_store": True}, function_filter=add)
    flow.update_maker_kwargs({"constant": 5}, class_filter=samples.AddMaker)
    return flow


def missing_parents() -> Flow:
    failing = fail()
    children = [
        samples.describe([failing.output, 1]),
        samples.describe(failing.output["a"]),
        samples.describe(failing.output),
    ]
    for job, policy in zip(children, (OnMissing.NONE, OnMissing.PASS, OnMissing.ERROR), strict=True):
        job.config.on_missing_references = policy
    return Flow([failing, *children, add(1, 1)])


def unresolved_references() -> Flow:
    first = add(1, 2)
    kept, both, by_hand = (
        samples.describe(first.output),
        samples.value_and_origin(first.output),
        samples.resolve_by_hand(first.output),
    )
    kept.config.resolve_references = False
    both.config.resolve_references = "both"
    by_hand.config = JobConfig(resolve_references=False, expose_store=True)
    return Flow([first, kept, both, by_hand, store_inputs({"x": first.output, "y": 1})])


def a_job_about_itself() -> Job:
    job = samples.about_itself()
    job.metadata = {"given": {"nested": [1]}}
    job.name = "myself"
    return job


CASES = [
    chain,
    nested,
    attributes_and_keys,
    references_inside_arguments,
    arguments_of_every_type,
    functions_as_arguments,
    makers,
    class_jobs,
    linear,
    replacing,
    adding_and_detouring,
    using_an_earlier_job,
    stopping_children,
    schemas,
    additional_stores,
    rich_outputs,
    updates,
    missing_parents,
    unresolved_references,
    a_job_about_itself,
    lambda: samples.decorated(1, 2),
]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__.strip("<>"))
def test_a_flow_leaves_the_documents_that_run_locally_leaves(make: Callable[[], Any], same_as_jobflow: Compare) -> None:
    engine = same_as_jobflow(make)
    assert engine.documents


def test_new_jobs_of_a_response_run_in_the_order_that_jobflow_promises(same_as_jobflow: Compare) -> None:
    flow = adding_and_detouring()
    detour, child = flow.jobs[2], flow.jobs[3]
    engine = same_as_jobflow(lambda: flow)
    between = engine.ran[engine.ran.index(detour.uuid) + 1 : engine.ran.index(child.uuid)]
    assert len([uuid for uuid in between if uuid not in flow.job_uuids]) >= 2


def test_nothing_new_starts_after_stop_jobflow(run_flow: Callable[..., Any]) -> None:
    first = samples.stop_everything()
    second = add(first.output, 1)
    engine = run_flow(Flow([first, second]))
    assert engine.ran == [first.uuid]
    assert engine.state(second.uuid) == "STOPPED"
