"""Jobs, makers and types of every kind that jobflow knows, for comparing towline with `jobflow.run_locally`."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy
from jobflow import CURRENT_JOB, Flow, Job, Maker, OutputReference, Response, flow, job
from monty.json import MSONable
from pydantic import BaseModel

from towline.jobflow.current import CURRENT_JOBDOC
from towline.testing.jobs import add, fail, total

Pair = namedtuple("Pair", ["left", "right"])


class Color(Enum):
    """Some colours."""

    RED = "red"
    BLUE = "blue"


class Point(MSONable):
    """A point with a property that its document does not have."""

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    def __repr__(self) -> str:
        return f"Point({self.x}, {self.y})"

    @property
    def length(self) -> float:
        """Distance from the origin."""
        return float((self.x**2 + self.y**2) ** 0.5)


class Measurement(BaseModel):
    """An output with a schema."""

    value: float
    unit: str = "eV"
    color: Color = Color.RED


@dataclass
class Span:
    """A dataclass that knows nothing of JSON."""

    start: int
    end: int


@dataclass
class AddMaker(Maker):
    """Makes a job that adds, and a constant besides."""

    name: str = "add maker"
    constant: float = 0.0
    colors: list[Color] = field(default_factory=lambda: [Color.RED])

    @job
    def make(self, a: float, b: float) -> float:
        """The sum."""
        return a + b + self.constant


@dataclass
class SubMaker(AddMaker):
    """Inherits the job of its base class."""

    name: str = "sub maker"


@dataclass
class SquareThenAddMaker(Maker):
    """Squares, and adds in a detour."""

    name: str = "square then add"
    add_maker: AddMaker = field(default_factory=lambda: AddMaker(constant=1000))

    @job
    def make(self, a: float, b: float) -> Response[Any]:
        """Squares, and where the rest is done."""
        return Response(output=[a**2, b**2], detour=self.add_maker.make(a**2, b**2))


class Tools:
    """Jobs that belong to a class."""

    factor = 3

    @job
    @staticmethod
    def double(number: float) -> float:
        """Twice the number."""
        return 2 * number

    @job
    @classmethod
    def scale(cls, number: float) -> float:
        """The number times the factor of the class."""
        return cls.factor * number


@job
def identity(value: Any) -> Any:
    """What it was given."""
    return value


@job
def describe(value: Any) -> str:
    """Types and values of what it was given, as precisely as Python tells."""
    return f"{_types(value)} {value!r}"


@job
def length_of(point: Point) -> float:
    """Something that only the object knows, not its document."""
    return point.length


@job(output_schema=Measurement)
def measure(value: float) -> dict[str, float]:
    """A dictionary that becomes a Measurement."""
    return {"value": value}


@job(output_schema=Measurement)
def measure_wrongly() -> dict[str, str]:
    """A dictionary that is no Measurement."""
    return {"value": "much"}


@job
def make_point(x: float, y: float) -> Point:
    """A point."""
    return Point(x, y)


@job
def rich_output() -> dict[Any, Any]:
    """Everything that jobflow can store."""
    return {
        "point": Point(1, 2),
        "array": numpy.arange(6).reshape(2, 3),
        "scalar": numpy.float64(0.1),
        "color": Color.BLUE,
        "tuple": (1, (2, 3)),
        "measurement": Measurement(value=1.5),
        "time": datetime(2026, 1, 2, 3, 4, 5),
        "path": Path("/tmp/a b"),
        "bytes": b"\x00\xff",
        "nothing": None,
        "nan": float("nan"),
        "infinite": [float("inf"), -float("inf")],
        1: "key that is no text",
        "ordered": OrderedDict(a=1),
        "pair": Pair(1, 2),
        "function": total,
        "class": Point,
        "unicode": "ä ☃ \u2028",
    }


@job(data="array")
def with_additional() -> dict[str, Any]:
    """Parts of the output go to an additional store, by their key."""
    return {"array": [1, 2, 3], "small": {"array": [4]}, "kept": 1}


@job(other=Point)
def with_additional_class() -> dict[str, Any]:
    """Parts of the output go to an additional store, by their class."""
    return {"points": [Point(3, 4)], "kept": 1}


@job(data=True)
def all_additional() -> dict[str, Any]:
    """The whole output goes to an additional store."""
    return {"a": 1}


@job
def replace_by_job(a: float) -> Response[Any]:
    """Another job in its place."""
    return Response(output="replaced", replace=add(a, 1))


@job
def replace_by_flow(count: int) -> Response[Any]:
    """A flow with an output in its place."""
    jobs = [add(number, 1) for number in range(count)]
    result = total([new.output for new in jobs])
    return Response(replace=Flow([*jobs, result], output={"total": result.output, "first": jobs[0].output}))


@job
def replace_by_flow_without_output() -> Response[Any]:
    """A flow without output in its place."""
    return Response(replace=Flow([add(1, 2), add(3, 4)]))


@job
def return_list() -> list[Job]:
    """A list of jobs takes its place."""
    return [add(1, 2), add(3, 4)]


@job
def return_dictionary() -> dict[str, Job]:
    """A dictionary of jobs takes its place."""
    return {"three": add(1, 2), "seven": add(3, 4)}


@job
def return_tuple() -> tuple[Job, ...]:
    """A tuple of jobs takes its place."""
    return (add(1, 2), add(3, 4))


@job
def return_job(depth: int) -> Any:
    """A job takes its place, whose place is taken by a job, ..."""
    return return_job(depth - 1) if depth > 0 else 42


@job
def replace_with_point() -> Response[Any]:
    """Its output is a property of the output of another job."""
    point = make_point(3, 4)
    return Response(replace=Flow([point], output=point.output.length))


@job
def add_jobs(number: int) -> Response[Any]:
    """New jobs beside the flow."""
    first = add(number, 1)
    return Response(output=number, addition=Flow([first, add(first.output, 1)]))


@job
def detour(number: int) -> Response[Any]:
    """New jobs before its children."""
    first = add(number, 1)
    return Response(output=number, detour=Flow([first, add(first.output, 1)]))


@job
def detour_a_list() -> Response[Any]:
    """New jobs before its children, given as a list."""
    return Response(output=1, detour=[add(1, 2), add(3, 4)])


@job
def replace_and_use_earlier(earlier: OutputReference) -> Response[Any]:
    """A job in its place that uses the output of a job of the flow it came from."""
    return Response(replace=Flow([add(OutputReference(earlier.uuid), 1)]))


@job
def stop_the_children() -> Response[Any]:
    """Its children do not run."""
    return Response(output=1, stop_children=True)


@job
def stop_everything() -> Response[Any]:
    """Nothing runs any more."""
    return Response(output=1, stop_jobflow=True)


@job
def fail_below() -> Response[Any]:
    """Makes a job that fails, and one that wants its output."""
    first = fail("below")
    return Response(addition=Flow([first, identity(first.output)]))


@job
def about_itself() -> dict[str, Any]:
    """What a running job can know about itself."""
    running = CURRENT_JOB.job
    running.metadata["seen"] = True
    return {
        "uuid": running.uuid,
        "index": running.index,
        "name": running.name,
        "arguments": running.function_args,
        "metadata": running.metadata,
        "has_store": CURRENT_JOB.store is not None,
    }


@job
def about_its_record() -> dict[str, Any]:
    """What the queue says about the running job."""
    record = CURRENT_JOBDOC.job_doc
    assert record is not None
    return {"db_id": record.db_id, "resources": record["resources"]}


@job
def resolve_by_hand(reference: OutputReference) -> Any:
    """Looks up an output itself."""
    return [
        reference.resolve(CURRENT_JOB.store),
        CURRENT_JOB.store.count({"uuid": reference.uuid, "index": {"$gte": 1}}),
    ]


@job
def value_and_origin(resolved: Any) -> list[Any]:
    """Value of a resolved reference and the uuid it came from."""
    return [resolved.value, resolved.uuid]


@job
def unstorable() -> dict[str, Any]:
    """Returns something that no store takes."""
    return {"fine": 1, "deep": [{"file": object()}]}


@job
def unstorable_data() -> Response[Any]:
    """Its stored data is not JSON."""
    return Response(stored_data={"handle": object()})


@job
def leave() -> None:
    """Ends the process as scripts do."""
    raise SystemExit(3)


@job
def call(function: Any, value: Any) -> Any:
    """Calls a function that it was given."""
    return function(value)


@flow  # type: ignore[untyped-decorator]
def decorated(a: float, b: float) -> Any:
    """A flow made by calling jobs."""
    first = add(a, b)
    second = add(first, first.output)
    return second.output


def _types(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value).__name__, [_types(item) for item in value]
    if isinstance(value, dict):
        return type(value).__name__, [(_types(key), _types(item)) for key, item in value.items()]
    return type(value).__name__
