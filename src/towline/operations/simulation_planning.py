"""From what somebody asks for to a case that can be run: parameters, presets, case files, preflight."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from towline.errors import InvalidRequest
from towline.simulations import registry
from towline.simulations.application import Application, Case, Cost, Finding, Parameter, Severity, Value
from towline.simulations.cases import case_document, finding_document
from towline.simulations.config_env import ConfigEnv
from towline.simulations.models.settings import model_settings
from towline.simulations.moose import checking, input_file
from towline.simulations.moose.problems import InvalidInputFile, suggestion
from towline.simulations.parameters import check, check_values, described
from towline.simulations.sentence.plan import Plan
from towline.simulations.sentence.reader import read

#: In the folder of the runs: questions to language models, with their answers.
_MODEL_CALLS = "model_calls"
#: Members that a sweep has at most.
LARGEST_SWEEP = 10_000


@dataclass(frozen=True)
class Planned:
    """A case that is ready to run, with what the preflight found."""

    application: Application
    case: Case
    findings: tuple[Finding, ...]
    preset: str | None = None

    @property
    def cost(self) -> Cost:
        """What it will take, about."""
        return self.application.cost(self.case)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What forbids to run it."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)


def physics_names() -> list[str]:
    """Names of what can be simulated; nothing is loaded."""
    return registry.names()


def find_physics(name: str) -> Application:
    """The application of this name.

    Raises
    ------
    InvalidRequest
        There is none.
    """
    return registry.find(name)


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
    values |= check_values(application, stated or {})
    values |= check(application, params or {})
    case = application.resolve(values)
    return Planned(application, case, tuple(application.preflight(case)), preset)


def read_sentence(sentence: str, config: ConfigEnv) -> Plan:
    """What a sentence asks for, read by rules, and by a language model where they are not enough and one is configured.

    Nothing in it is checked yet. What models were asked and answered is kept in the folder of the runs.

    Raises
    ------
    InvalidRequest
        It does not say what to simulate.
    ConfigurationError
        The keys of the model are wrong.
    """
    applications = {application.name: application for application in list_physics()}
    settings = model_settings(config.get)
    if settings is None:
        return read(sentence, applications)
    folder = Path(config.get("RUNS_DIR")).expanduser().absolute() / _MODEL_CALLS
    # Only who uses a model pays for the library.
    from towline.simulations.models.client import ModelClient
    from towline.simulations.sentence.model_reader import read_with_model

    return read_with_model(sentence, applications, ModelClient(settings, folder))


def plan_sentence(found: Plan, params: Mapping[str, Any] | None = None) -> list[Planned]:
    """The cases of a sentence, each checked and planned by itself; parameters go before what the sentence says.

    Raises
    ------
    InvalidRequest
        A value is out of its range, or there are too many cases.
    """
    if not found.sweep and (found.seeds or 1) == 1:
        return [plan(found.physics, params, stated=found.stated)]
    return sweep_cases(found.physics, params, found.sweep, seeds=found.seeds, stated=found.stated)


def sentence_document(found: Plan) -> dict[str, Any]:
    """What was read from a sentence as JSON-like values, with the questions to a model."""
    return {
        "sentence": found.sentence,
        "reader": found.reader,
        "physics": found.physics,
        "understood": list(found.understood),
        "assumed": list(found.assumed),
        "not_understood": list(found.not_understood),
        "sweep": {name: list(values) for name, values in found.sweep.items()},
        "seeds": found.seeds,
        "solver": found.solver,
        "backend": found.backend,
        "model_calls": [asdict(one) for one in found.model_calls],
    }


def plan_document(planned: Planned) -> dict[str, Any]:
    """A planned case as JSON-like values."""
    return {
        **case_document(planned.case),
        "preset": planned.preset,
        "findings": [finding_document(one) for one in planned.findings],
        "can_run": not planned.errors,
        "cost": asdict(planned.cost),
    }


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


def file_problems(path: Path) -> list[str]:
    """What is wrong with an input file, with everything that it includes; empty when nothing is.

    Raises
    ------
    InvalidRequest
        It cannot be read.
    """
    try:
        resolved = input_file.read([path])
    except InvalidInputFile as error:
        return [str(one) for one in error.problems]
    problems = [*resolved.problems, *checking.check(resolved.tree).problems]
    return [str(one) for one in problems if one.severity == "error"]


def input_problems(text: str, name: str) -> list[str]:
    """What is wrong with an input, line by line; empty when nothing is."""
    tree = input_file.parse(text, name).root
    return [str(one) for one in checking.check(tree).problems if one.severity == "error"]


def sweep_cases(
    physics: str,
    params: Mapping[str, Any] | None,
    sweep: Mapping[str, Sequence[Any]],
    *,
    seeds: int | None = None,
    preset: str | None = None,
    stated: Mapping[str, Value] | None = None,
) -> list[Planned]:
    """Every combination of the values of a sweep as a case of its own, each planned by itself.

    Parameters
    ----------
    sweep
        Names of parameters with their values.
    seeds
        How many random starts each combination has.

    Raises
    ------
    InvalidRequest
        A parameter cannot be swept, or a member is wrong; which.
    """
    first = plan(physics, params, preset=preset, stated=stated)
    names = {alias: one.name for one in first.application.parameters for alias in (one.name, *one.aliases)}
    axes: dict[str, Sequence[Any]] = {}
    for name, values in sweep.items():
        own = names.get(name, name)
        if own not in first.application.sweepable:
            raise InvalidRequest(f"{name} cannot be swept; {physics} sweeps {', '.join(first.application.sweepable)}")
        if own in axes or not values:
            raise InvalidRequest(f"{name} is swept twice" if own in axes else f"{name} has no values to sweep")
        axes[own] = values
    starts = range(seeds or 1)
    if len(starts) > 1 and "rand_seed" in axes:
        raise InvalidRequest("rand_seed is swept, so that there are no other random starts; leave seeds out")
    count = len(starts)
    for values in axes.values():
        count *= len(values)
    if count > LARGEST_SWEEP:
        raise InvalidRequest(f"{count} members are too many; {LARGEST_SWEEP} are the most")
    if not axes and len(starts) == 1:
        raise InvalidRequest("no parameter is swept; give for example --over T=450,600,750")
    chosen_values = [dict(zip(axes, combination, strict=True)) for combination in itertools.product(*axes.values())]
    members = []
    for chosen in _with_starts(chosen_values, first, len(starts)):
        members.append(plan(physics, _without(params or {}, chosen, names) | chosen, preset=preset, stated=stated))
    return members


def _with_starts(combinations: Sequence[Mapping[str, Any]], first: Planned, starts: int) -> Iterator[dict[str, Any]]:
    """Give each combination its random starts.

    Combinations that differ in what is simulated have starts of their own: two temperatures with the same start would
    make the same run in other units of time, and agree whatever the runs are worth. Those that differ in cells or steps
    alone have the same ones: their results are compared one by one.
    """
    if starts == 1:
        yield from map(dict, combinations)
        return
    numerical = {one.name for one in first.application.parameters if one.numerical}
    begin = int(first.case.number("rand_seed"))
    physical: list[dict[str, Any]] = []
    for chosen in combinations:
        what = {name: value for name, value in chosen.items() if name not in numerical}
        if what not in physical:
            physical.append(what)
        own = begin + physical.index(what) * starts
        yield from ({**chosen, "rand_seed": own + index} for index in range(starts))


def _without(params: Mapping[str, Any], chosen: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if names.get(name, name) not in chosen}
