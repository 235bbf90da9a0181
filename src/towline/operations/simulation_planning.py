"""From what somebody asks for to a case that can be run: parameters, presets, case files, preflight."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towline.configuration.documents import parse as parse_document
from towline.configuration.documents import read_text
from towline.errors import InvalidRequest
from towline.simulations import registry
from towline.simulations.application import Application, Case, Finding, Parameter, Severity, Value
from towline.simulations.moose import checking, input_file
from towline.simulations.moose.problems import suggestion
from towline.simulations.parameters import check, described

_CASE_KEYS = ("physics", "params", "preset", "sweep", "seeds", "backend_name", "run_name")


@dataclass(frozen=True)
class Planned:
    """A case that is ready to run, with what the preflight found."""

    application: Application
    case: Case
    findings: tuple[Finding, ...]
    preset: str | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What forbids to run it."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)


@dataclass(frozen=True)
class CaseFile:
    """What a case file asks for; nothing of it is checked yet."""

    physics: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    sweep: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    seeds: int | None = None
    backend_name: str | None = None


def list_physics() -> list[Application]:
    """Every application that can be loaded, towline's own first."""
    return [registry.find(name) for name in registry.names()]


def parameter_rows(application: Application) -> list[dict[str, Any]]:
    """The parameters of an application as a table: name, default, unit, what it takes, meaning, other names."""
    return [_row(parameter) for parameter in application.parameters]


def _row(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "default": parameter.default,
        "unit": parameter.unit,
        "takes": described(parameter),
        "help": parameter.help,
        "aliases": list(parameter.aliases),
        "numerical": parameter.numerical,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "choices": list(parameter.choices),
        "type": parameter.kind.__name__,
    }


def plan(
    physics: str,
    params: Mapping[str, Any] | None = None,
    *,
    preset: str | None = None,
    stated: Mapping[str, Value] | None = None,
) -> Planned:
    """Check parameters, give every parameter its value, and look for what keeps the case from giving a result.

    Parameters
    ----------
    params
        Names or aliases of parameters with their values.
    preset
        Values to begin with; `params` go before.
    stated
        Values that are checked already, as a sentence gives them; `params` go before.

    Raises
    ------
    InvalidRequest
        There is no such physics or preset, or a parameter is unknown, out of range, or contradicts another one.
    """
    application = registry.find(physics)
    values: dict[str, Value] = {}
    if preset is not None:
        if preset not in application.presets:
            known = ", ".join(application.presets)
            raise InvalidRequest(
                f"{physics} has no preset {preset!r}; it has {known}{suggestion(preset, application.presets)}"
            )
        values |= check(application, application.presets[preset])
    values |= dict(stated or {})
    values |= check(application, params or {})
    case = application.resolve(values)
    return Planned(application, case, tuple(application.preflight(case)), preset)


def refuse_errors(planned: Planned, *, force: bool = False) -> None:
    """Refuse a case in which the preflight found errors, unless somebody insists.

    Raises
    ------
    InvalidRequest
        All of the errors, each with what would pass.
    """
    if planned.errors and not force:
        listed = "\n".join(f"  {finding_text(one)}" for one in planned.errors)
        raise InvalidRequest(
            f"this case of {planned.case.physics} cannot give a result:\n{listed}\n"
            "change what is proposed, or insist with --force"
        )


def finding_text(finding: Finding) -> str:
    """A finding as a line, with what it proposes."""
    proposed = ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in finding.proposal.items()
    )
    return f"{finding.severity.value}: {finding.check}: {finding.message}" + (f" (try {proposed})" if proposed else "")


def render_input(planned: Planned) -> str:
    """The input of a case, checked against what MOOSE and the embedded solver know.

    Raises
    ------
    InvalidInputFile
        A bug of the physics: it wrote an input with mistakes. They are named.
    """
    text = planned.application.input_text(planned.case)
    problems = input_problems(text, f"{planned.case['run_name']}.i")
    if problems:
        raise InvalidRequest(f"the input of {planned.case.physics} has mistakes:\n" + "\n".join(problems))
    return text


def input_problems(text: str, name: str) -> list[str]:
    """What is wrong with an input, line by line; empty when nothing is."""
    tree = input_file.parse(text, name).root
    return [str(one) for one in checking.check(tree).problems if one.severity == "error"]


def read_params(text: str) -> dict[str, Any]:
    """Parameters from JSON, as ``--params`` takes them.

    Raises
    ------
    InvalidRequest
        It is no JSON object, or has a name twice.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InvalidRequest(f"--params has {twice[0]!r} twice")
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"--params is no JSON ({error}); give for example '{{\"T\": 800}}'") from error
    if not isinstance(found, dict):
        raise InvalidRequest(f"--params is {text!r}; give a JSON object such as '{{\"T\": 800}}'")
    return found


def read_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """Parameters from ``key=value``, as ``--set`` takes them.

    Raises
    ------
    InvalidRequest
        One of them is no assignment, or a key comes twice.
    """
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or not name.strip():
            raise InvalidRequest(f"{assignment!r} is no assignment; give for example --set T=800")
        if name.strip() in found:
            raise InvalidRequest(f"--set has {name.strip()!r} twice")
        found[name.strip()] = value.strip()
    return found


def read_case_file(path: Path) -> CaseFile:
    """A case file: YAML, TOML or JSON with physics, params, preset, sweep, seeds and backend_name.

    Raises
    ------
    InvalidRequest
        There is no such file, or a key means nothing.
    """
    if not path.is_file():
        raise InvalidRequest(f"there is no case file {path}")
    document = parse_document(read_text(path), path)
    for key in document:
        if key not in _CASE_KEYS:
            raise InvalidRequest(
                f"{path} has the key {key!r}; known are {', '.join(_CASE_KEYS)}{suggestion(key, _CASE_KEYS)}"
            )
    params = _mapping(document, "params", path)
    if "run_name" in document:
        params = {"run_name": document["run_name"]} | params
    return CaseFile(
        physics=_text(document, "physics", path),
        params=params,
        preset=_text(document, "preset", path),
        sweep={
            name: values if isinstance(values, list) else [values]
            for name, values in _mapping(document, "sweep", path).items()
        },
        seeds=_count(document, "seeds", path),
        backend_name=_text(document, "backend_name", path),
    )


def _mapping(document: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{key} in {path} is {value!r}; give names with values")
    return {str(name): one for name, one in value.items()}


def _text(document: Mapping[str, Any], key: str, path: Path) -> str | None:
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{key} in {path} is {value!r}; give text")
    return value


def _count(document: Mapping[str, Any], key: str, path: Path) -> int | None:
    value = document.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise InvalidRequest(f"{key} in {path} is {value!r}; give a whole number of at least 1")
    return value
