"""Criteria about the jobs and flows of the queue, in the language of the job store and with the fields' public names.

What the columns of the tables can tell, the database answers; only what is left is decided on documents in memory. A
field that the queue does not keep is refused: the alternative would be a wrong answer.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from towline.core.states import FlowState, JobState
from towline.errors import InvalidCriteria
from towline.store.criteria import matcher, operators_in
from towline.store.criteria_sql import Prefilter, SqlField, json_field, key_expression_field, prefilter
from towline.store.database import Database
from towline.store.job_info import FlowInfo, JobInfo

#: Operators whose operand is a value of the field, or a list of them.
_WITH_VALUES = frozenset({"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin"})


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of the criteria."""

    #: The column that holds it; None when only the document tells.
    column: SqlField | None = None
    #: What a value in the criteria is compared as; raises ValueError.
    convert: Callable[[Any, str], Any] | None = None
    #: Whether paths lead into it.
    is_nested: bool = False
    #: The document that has it: a column, the row in which it stands, and the path to the field in it.
    document: tuple[str, str, str] | None = None


def _time(value: Any, _prefix: str) -> float:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError("write a time as '2024-03-01T14:30:00' (local time) or '2024-03-01T14:30:00+00:00'")
    return value.timestamp()


def _id(value: Any, prefix: str) -> int:
    number = str(value).removeprefix(prefix)
    if isinstance(value, bool) or not number.isdecimal():
        raise ValueError(f"an id looks like {prefix}12")
    return int(number)


def _state_of(kind: type[Enum]) -> Callable[[Any, str], str]:
    def convert(value: Any, _prefix: str) -> str:
        if value not in {member.value for member in kind}:
            raise ValueError(f"the states are {', '.join(member.value for member in kind)}")
        return str(getattr(value, "value", value))

    return convert


def _text(expression: str) -> _Field:
    return _Field(SqlField(expression, "text"))


def _number(expression: str) -> _Field:
    return _Field(SqlField(expression, "number"))


def _moment(expression: str) -> _Field:
    return _Field(SqlField(expression, "number"), _time)


def _part_of(column: str, path: str = "", table: str = "job_document") -> _Field:
    return _Field(is_nested=True, document=(column, f"{table} WHERE job_id = job.id", path))


_NESTED = _Field(is_nested=True)
_FAILURE = SqlField("(SELECT failure FROM job_outcome WHERE job_id = job.id)", "present")
_OUTCOME = "job_outcome"
_HELD_SINCE = "CASE WHEN job.lease_owner IS NULL THEN NULL ELSE job.updated_at END"

_JOB_FIELDS: Mapping[str, _Field] = {
    "db_id": _Field(SqlField("job.id", "number"), _id),
    "uuid": _text("job.uuid"),
    "index": _number("job.job_index"),
    "name": _text("job.name"),
    "job.name": _text("job.name"),
    "job.uuid": _text("job.uuid"),
    "job.index": _number("job.job_index"),
    "worker": _text("job.worker"),
    "state": _Field(SqlField("job.state", "text"), _state_of(JobState)),
    "previous_state": _Field(SqlField("job.previous_state", "text"), _state_of(JobState)),
    "priority": _number("job.priority"),
    "attempt": _number("job.attempt"),
    "payload_kind": _text("job.payload_kind"),
    "flow_id": _text("(SELECT flow.uuid FROM flow WHERE flow.id = job.flow_id)"),
    "created_on": _moment("job.created_at"),
    "updated_on": _moment("job.updated_at"),
    "start_time": _moment("job.started_at"),
    "end_time": _moment("job.ended_at"),
    "run_dir": _text("job.run_dir"),
    "exit_code": _number("job.exit_code"),
    "exit_signal": _number("job.exit_signal"),
    "reason": _text("job.reason"),
    "lock_id": _Field(SqlField("job.lease_owner", "number"), _id),
    "lock_time": _moment(_HELD_SINCE),
    "remote.process_id": _text("job.process_id"),
    "remote.step_attempts": _number("job.step_attempts"),
    "remote.retry_time_limit": _moment("job.retry_at"),
    "remote.error": _Field(),
    "error": _Field(_FAILURE),
    "parents": _NESTED,
    "hosts": _NESTED,
    "job.hosts": _NESTED,
    "metadata": _part_of("settings", "metadata"),
    "job.metadata": _part_of("settings", "metadata"),
    "stored_data": _part_of("stored_data", table=_OUTCOME),
    "resources": _part_of("settings", "resources"),
    "exec_config": _part_of("settings", "exec_config"),
    "exit_record": _part_of("exit_record", table=_OUTCOME),
    "environment": _part_of("environment", table=_OUTCOME),
}

_FLOW_FIELDS: Mapping[str, _Field] = {
    "uuid": _text("flow.uuid"),
    "flow_id": _text("flow.uuid"),
    "name": _text("flow.name"),
    "state": _Field(SqlField("flow.state", "text"), _state_of(FlowState)),
    "created_on": _moment("flow.created_at"),
    "updated_on": _moment("flow.updated_at"),
    "jobstore": _text("flow.jobstore"),
    "metadata": _Field(is_nested=True, document=("inner_flow.metadata", "flow AS inner_flow WHERE id = flow.id", "")),
}


class _Columns:
    """What a database knows of the fields, and of the plain values in their documents."""

    def __init__(self, about: str, *, in_postgresql: bool) -> None:
        self._fields = _FIELDS[about]
        self._field_at = key_expression_field if in_postgresql else json_field

    def get(self, path: str, /) -> SqlField | None:
        """The column, or the expression, that tells the value at a path."""
        parts = path.split(".")
        for length in range(len(parts), 0, -1):
            field = self._fields.get(".".join(parts[:length]))
            if field is None:
                continue
            if field.column is not None:
                return field.column
            if field.document is None:
                return None
            column, row, inside = field.document
            rest = ".".join([*filter(None, [inside]), *parts[length:]])
            return self._field_at(rest, column, row) if rest else None
        return None


@dataclass(frozen=True, slots=True)
class QueueCriteria:
    """Criteria that were checked, about jobs or about flows."""

    about: str
    #: The criteria with every value as it is compared.
    criteria: Mapping[str, Any]

    def condition(self, database: Database) -> Prefilter:
        """What the database can decide."""
        return prefilter(self.criteria, _Columns(self.about, in_postgresql=database.dialect.kind == "postgresql"))

    @property
    def needs_documents(self) -> bool:
        """Whether more than the narrow rows of lists is needed to decide."""
        return self.columns() is None

    def columns(self) -> dict[str, str] | None:
        """SQL expressions of all values that the criteria are about, by path; None when not all stand in columns."""
        fields = dict(_fields_by_path(self.criteria, self.about))
        columns = {path: field.column for path, field in fields.items() if field.column is not None}
        if len(columns) < len(fields) or any(column.kind == "present" for column in columns.values()):
            return None
        return {path: column.expression for path, column in columns.items()}

    def decide_rows(self, paths: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[int]:
        """Those among rows of a number and the values of :meth:`columns` that meet the criteria."""
        meets = matcher(self.criteria)
        return [row[0] for row in rows if meets(_nested(paths, row[1:]))]

    def decide(self, items: Iterable[JobInfo] | Iterable[FlowInfo]) -> list[int]:
        """Rows of those among `items`, loaded with their details, that meet the criteria."""
        meets = matcher(self.criteria)
        return [item.id for item in items if meets(_document_of(item))]


def job_criteria(criteria: Mapping[str, Any], prefix: str = "") -> QueueCriteria:
    """Criteria about jobs.

    Parameters
    ----------
    prefix
        Text before the number in the ids of jobs.

    Raises
    ------
    InvalidCriteria
        A field is not kept, an operator not known, or a value not possible.
    """
    return _checked("jobs", criteria, prefix)


def flow_criteria(criteria: Mapping[str, Any]) -> QueueCriteria:
    """Criteria about flows.

    Raises
    ------
    InvalidCriteria
        As :func:`job_criteria`.
    """
    return _checked("flows", criteria, "")


_FIELDS: Mapping[str, Mapping[str, _Field]] = {"jobs": _JOB_FIELDS, "flows": _FLOW_FIELDS}


def _checked(about: str, criteria: Mapping[str, Any], prefix: str) -> QueueCriteria:
    matcher(criteria)  # refuses what is no criteria at all, with its reason
    return QueueCriteria(about, _converted(criteria, about, prefix))


def _converted(criteria: Mapping[str, Any], about: str, prefix: str) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name, operand in criteria.items():
        if name.startswith("$"):
            whole[name] = [_converted(part, about, prefix) for part in operand]
        else:
            whole[name] = _operand(name, _field(name, about), operand, prefix)
    return whole


def _fields_by_path(criteria: Mapping[str, Any], about: str) -> Iterator[tuple[str, _Field]]:
    for name, operand in criteria.items():
        if name.startswith("$"):
            for part in operand:
                yield from _fields_by_path(part, about)
        else:
            yield name, _field(name, about)


def _nested(paths: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """A document with these values at these paths."""
    document: dict[str, Any] = {}
    for path, value in zip(paths, values, strict=True):
        *above, name = path.split(".")
        inner = document
        for part in above:
            inner = inner.setdefault(part, {})
        inner[name] = value
    return document


def _field(path: str, about: str) -> _Field:
    fields = _FIELDS[about]
    if path in fields:
        return fields[path]
    parts = path.split(".")
    for length in range(1, len(parts)):
        field = fields.get(".".join(parts[:length]))
        if field is not None and field.is_nested:
            return field
    near = difflib.get_close_matches(path, fields, n=2)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise InvalidCriteria(f"the queue cannot look for {about} by {path!r}. {hint}It can by {', '.join(fields)}.")


def _operand(path: str, field: _Field, operand: Any, prefix: str) -> Any:
    convert = field.convert
    if convert is None:
        return operand
    try:
        if not operators_in(operand):
            return _value(convert, operand, prefix)
        return {name: _under(path, convert, name, value, prefix) for name, value in operand.items()}
    except ValueError as error:
        raise InvalidCriteria(f"{path} is compared with {operand!r}, which is not possible: {error}.") from error


def _under(path: str, convert: Callable[[Any, str], Any], name: str, value: Any, prefix: str) -> Any:
    if name == "$not":
        return {inner: _under(path, convert, inner, item, prefix) for inner, item in value.items()}
    if name in ("$in", "$nin"):
        return [_value(convert, item, prefix) for item in value]
    if name in _WITH_VALUES:
        return _value(convert, value, prefix)
    if name == "$exists":
        return value
    raise InvalidCriteria(
        f"{name} cannot be used with {path}, which is compared as a whole; use {', '.join(sorted(_WITH_VALUES))}."
    )


def _value(convert: Callable[[Any, str], Any], value: Any, prefix: str) -> Any:
    return None if value is None else convert(value, prefix)


def _document_of(item: JobInfo | FlowInfo) -> dict[str, Any]:
    return _job_document(item) if isinstance(item, JobInfo) else _flow_document(item)


def _job_document(job: JobInfo) -> dict[str, Any]:
    """A job under the names of the fields; what has no value is null, as in documents of jobflow-remote."""
    metadata, hosts = dict(job.metadata), list(job.hosts)
    plain = ("uuid", "index", "name", "worker", "priority", "attempt", "payload_kind", "flow_id", "run_dir")
    return {
        **{name: getattr(job, name) for name in plain},
        **{name: getattr(job, name) for name in ("exit_code", "exit_signal", "reason", "error", "stored_data")},
        **{name: getattr(job, name) for name in ("resources", "exec_config", "exit_record", "environment")},
        "db_id": job.id,
        "state": job.state.value,
        "previous_state": None if job.previous_state is None else job.previous_state.value,
        **_seconds(job, ("created_on", "updated_on", "start_time", "end_time", "lock_time")),
        "lock_id": None if job.lock_id is None else int(job.lock_id),
        "parents": list(job.parents),
        "hosts": hosts,
        "metadata": metadata,
        "job": {"name": job.name, "uuid": job.uuid, "index": job.index, "hosts": hosts, "metadata": metadata},
        "remote": {
            "process_id": job.remote.process_id,
            "step_attempts": job.remote.step_attempts,
            **{name: getattr(job.remote, name) for name in ("error", "queue_state", "queue_out", "queue_err")},
            **_seconds(job.remote, ("retry_time_limit",)),
        },
    }


def _flow_document(flow: FlowInfo) -> dict[str, Any]:
    return {
        "uuid": flow.flow_id,
        "flow_id": flow.flow_id,
        "name": flow.name,
        "state": flow.state.value,
        **_seconds(flow, ("created_on", "updated_on")),
        "jobstore": flow.jobstore,
        "metadata": dict(flow.flow_metadata),
    }


def _seconds(item: object, names: Sequence[str]) -> dict[str, float | None]:
    moments = {name: getattr(item, name) for name in names}
    return {name: None if moment is None else moment.timestamp() for name, moment in moments.items()}
