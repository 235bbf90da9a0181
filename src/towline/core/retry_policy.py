"""When a job that failed runs again by itself: a policy per reason, declared with the job, its worker or its project.

A policy is a mapping from reasons to rules, as it stands in a project file::

    retry:
      timeout: {times: 3, multiply: {time_limit: 2}, keep: ["*.chk"]}
      out_of_memory: {times: 2, multiply: {memory_gigabytes: 2}, limits: {memory_gigabytes: 64}}
      node_failure: 5
      error: {times: 2, handler: "my_project.remedies:decide"}

What is counted is how often each rule was used since the user last asked for the job. Everything here is pure.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from towline.errors import ConfigurationError

#: Why jobs fail, as :class:`towline.core.records.Failure` says it. `any` is the rule for every reason without one.
REASONS = (
    *("error", "exit_code", "signal", "timeout", "out_of_memory", "node_failure", "preempted", "vanished"),
    *("not_started", "output", "interrupted"),
)
ANY = "any"

#: Other words for the same.
_ALIASES = {"walltime": "timeout", "oom": "out_of_memory", "node_fail": "node_failure"}

#: Reasons that a person gave, whom no policy overrules.
_DECIDED_BY_PEOPLE = frozenset({"cancelled", "rejected"})

_DURATION = re.compile(r"(?:(?P<days>\d+)-)?(?P<hours>\d+):(?P<minutes>\d{1,2}):(?P<seconds>\d{1,2})\Z")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]*)\Z")
_HANDLER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*\Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens after a failure for one reason."""

    #: How often it is tried again at most.
    times: int = 1
    #: Seconds to wait before each of these attempts; the last one repeats.
    delay_seconds: tuple[float, ...] = (0.0,)
    #: Factors for resources: ``{"time_limit": 2}`` doubles it with each attempt.
    multiply: Mapping[str, float] = field(default_factory=dict)
    #: Largest values that `multiply` may lead to.
    limits: Mapping[str, Any] = field(default_factory=dict)
    #: Resources that take the place of the old ones, or come to them.
    resources: Mapping[str, Any] = field(default_factory=dict)
    #: Patterns of files in the run folder that are copied into that of the next attempt.
    keep: tuple[str, ...] = ()
    #: ``module:function`` that decides, in a process of its own on the worker.
    handler: str | None = None
    #: Folders in which the module of the handler may be; set at submission.
    python_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Again:
    """A job runs again."""

    #: The key of the rule in the policy, under which it is counted.
    rule: str
    #: How often the rule was used, this time included.
    count: int
    times: int
    delay_seconds: float
    #: Resources of the next attempt; None leaves them as they are.
    resources: Mapping[str, Any] | None = None
    keep: tuple[str, ...] = ()
    handler: str | None = None
    python_path: tuple[str, ...] = ()

    def describe(self, reason: str) -> str:
        """A line for the journal and for `tow job info`."""
        what = f"asks {self.handler}" if self.handler else "runs again"
        parts = [f"{what} after {reason} ({self.count} of {self.times})"]
        if self.delay_seconds:
            parts.append(f"in {self.delay_seconds:g} s")
        if self.resources is not None:
            parts.append("with " + (", ".join(f"{key}={value}" for key, value in self.resources.items()) or "none"))
        if self.keep:
            parts.append("keeping " + ", ".join(self.keep))
        return ", ".join(parts)


def read_policy(given: object, what: str = "retry") -> dict[str, Rule]:
    """The rules by reason of a policy as users write it.

    Parameters
    ----------
    given
        A mapping from reasons to rules; a rule is a mapping with the fields of :class:`Rule`, or how often.
    what
        What it belongs to, for the error.

    Raises
    ------
    ConfigurationError
        It is no policy; the message names the key.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{what} is {given!r}; give a mapping such as {{'timeout': 2}}")
    rules: dict[str, Rule] = {}
    for key, rule in given.items():
        reason = _ALIASES.get(str(key), str(key))
        if reason not in (*REASONS, ANY):
            raise ConfigurationError(f"{what} has the reason {key!r}{_nearest(reason, (*REASONS, ANY))}")
        rules[reason] = _rule(rule, f"{what}.{key}")
    return rules


def next_attempt(
    rules: Mapping[str, Rule], reason: str, used: Mapping[str, int], resources: Mapping[str, Any]
) -> Again | None:
    """What follows a failure for `reason`; None when the job has failed for good.

    Parameters
    ----------
    used
        How often each rule was used already.
    resources
        What the failed attempt had.
    """
    key = reason if reason in rules else ANY
    rule = rules.get(key)
    count = used.get(key, 0) + 1
    if rule is None or reason in _DECIDED_BY_PEOPLE or count > rule.times:
        return None
    changed = raised(resources, rule.multiply, rule.limits) | dict(rule.resources)
    if rule.multiply and not rule.resources and rule.handler is None and changed == dict(resources):
        return None  # at its limits: the same again would fail in the same way
    return Again(
        rule=key,
        count=count,
        times=rule.times,
        delay_seconds=rule.delay_seconds[min(count, len(rule.delay_seconds)) - 1],
        resources=changed if changed != dict(resources) else None,
        keep=rule.keep,
        handler=rule.handler,
        python_path=rule.python_path,
    )


def raised(
    resources: Mapping[str, Any], factors: Mapping[str, float], limits: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Resources with some of them multiplied; what has no value stays without one.

    Numbers stay numbers, ``HH:MM:SS`` and ``D-HH:MM:SS`` stay such texts (rounded up to seconds), and sizes such as
    ``4G`` keep their unit.
    """
    changed = dict(resources)
    for key, factor in factors.items():
        if changed.get(key) is None:
            continue
        value = multiplied(changed[key], factor)
        limit = (limits or {}).get(key)
        if limit is not None and _magnitude(value) > _magnitude(limit):
            value = limit if _magnitude(changed[key]) < _magnitude(limit) else changed[key]
        changed[key] = value
    return changed


def multiplied(value: Any, factor: float) -> Any:
    """A resource times a factor, in the form that it had.

    Raises
    ------
    ConfigurationError
        It has no magnitude.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return _up(value * factor)
    if isinstance(value, float):
        return value * factor
    if isinstance(value, str) and _DURATION.match(value):
        return _duration_text(_up(_magnitude(value) * factor))
    if isinstance(value, str) and (size := _SIZE.match(value)):
        return f"{_up(float(size['number']) * factor)}{size['unit']}"
    raise ConfigurationError(f"the resource {value!r} cannot be multiplied by {factor:g}; give a number or 'HH:MM:SS'")


def _magnitude(value: Any) -> float:
    if isinstance(value, str) and (match := _DURATION.match(value)):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return float(days * 86400 + hours * 3600 + minutes * 60 + seconds)
    if isinstance(value, str) and (size := _SIZE.match(value)):
        powers = {"K": 1, "M": 2, "G": 3, "T": 4, "P": 5}
        return float(size["number"]) * 1024.0 ** powers.get(size["unit"][:1].upper(), 0)
    return float(value)


def _duration_text(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}-{clock}" if days else clock


def _up(value: float) -> int:
    return int(value) if value == int(value) else int(value) + 1


def _rule(given: object, what: str) -> Rule:
    if isinstance(given, int) and not isinstance(given, bool):
        given = {"times": given}
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{what} is {given!r}; give how often, or a mapping such as {{'times': 2}}")
    known = [item.name for item in fields(Rule) if item.name != "python_path" or item.name in given]
    for key in given:
        if key not in known:
            raise ConfigurationError(f"{what} has the key {key!r}{_nearest(str(key), known)}")
    values = {key: _READERS[key](value, f"{what}.{key}") for key, value in given.items() if value is not None}
    return Rule(**values)


def _times(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000:
        raise ConfigurationError(f"{what} is {value!r}; give a number from 0 to 1000")
    return value


def _delays(value: object, what: str) -> tuple[float, ...]:
    found = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    numbers = [item for item in found if isinstance(item, int | float) and not isinstance(item, bool) and item >= 0]
    if not found or len(numbers) != len(found):
        raise ConfigurationError(f"{what} is {value!r}; give seconds, or a list of them")
    return tuple(float(item) for item in numbers)


def _factors(value: object, what: str) -> dict[str, float]:
    found = _mapping(value, what)
    for key, factor in found.items():
        if isinstance(factor, bool) or not isinstance(factor, int | float) or factor <= 0:
            raise ConfigurationError(f"{what}.{key} is {factor!r}; give a factor such as 2")
    return found


def _mapping(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{what} is {value!r}; give a mapping from resources to values")
    return {str(key): item for key, item in value.items()}


def _limits(value: object, what: str) -> dict[str, Any]:
    found = _mapping(value, what)
    for key, limit in found.items():
        try:
            _magnitude(limit)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"{what}.{key} is {limit!r}; give a number, 'HH:MM:SS' or '4G'") from error
    return found


def _patterns(value: object, what: str) -> tuple[str, ...]:
    found = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else [value]
    for pattern in found:
        parts = pattern.split("/") if isinstance(pattern, str) else [".."]
        if pattern == "" or ".." in parts or "**" in parts or parts[0] == "" or "\0" in str(pattern):
            raise ConfigurationError(f"{what} has {pattern!r}; give patterns inside the run folder, without .. and **")
    return tuple(str(pattern) for pattern in found)


def _handler(value: object, what: str) -> str:
    if not isinstance(value, str) or not _HANDLER.match(value):
        raise ConfigurationError(f"{what} is {value!r}; give 'module:function', importable on the worker")
    return value


_READERS: Mapping[str, Any] = {
    "times": _times,
    "delay_seconds": _delays,
    "multiply": _factors,
    "limits": _limits,
    "resources": _mapping,
    "keep": _patterns,
    "handler": _handler,
    "python_path": lambda value, what: tuple(str(folder) for folder in value),
}


def _nearest(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, 1, 0.5)
    return (f"; did you mean {near[0]!r}?" if near else ".") + f" Known are {', '.join(known)}"
