"""Options that the commands of simulations share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click

from towline.interfaces.cli.parameters import Option

if TYPE_CHECKING:
    from towline.operations.simulation_planning import Planned
    from towline.operations.simulation_requests import CaseFile
    from towline.simulations.config_env import ConfigEnv


def complete_physics(context: click.Context, incomplete: str) -> list[str]:
    """Names of the applications, for the shell."""
    from towline.operations.simulation_planning import physics_names  # only when a name is completed

    return [name for name in physics_names() if name.startswith(incomplete)]


@dataclass
class CaseOptions:
    """What is to be simulated."""

    physics: Annotated[
        str | None,
        Option(
            "--physics",
            help="What to simulate; tow simulation show lists it. [default: grain_growth]",
            autocompletion=complete_physics,
        ),
    ] = None
    params: Annotated[
        str | None, Option("--params", help='Parameters as JSON: \'{"T": 800, "n_grains": 50}\'.', metavar="JSON")
    ] = None
    settings: Annotated[
        list[str] | None,
        Option(
            "--set", help="A parameter, as T=800 or end_time='2 us'; may be given several times.", metavar="KEY=VALUE"
        ),
    ] = None
    preset: Annotated[str | None, Option("--preset", help="Values to begin with.", metavar="NAME")] = None
    case_file: Annotated[
        Path | None, Option("--file", "-f", help="A case file in YAML, TOML or JSON.", metavar="FILE")
    ] = None


@dataclass
class PlaceOptions:
    """Where it is run."""

    config: Annotated[
        Path | None,
        Option("--config", help="The configuration; otherwise config.env here, if it is there.", metavar="FILE"),
    ] = None
    profile: Annotated[str | None, Option("--profile", help="Read config.NAME.env beside it too.", metavar="NAME")] = (
        None
    )
    keys: Annotated[
        list[str] | None,
        Option("--env", help="A key of the configuration, as EXECUTION_BACKEND=local.", metavar="KEY=VALUE"),
    ] = None


@dataclass
class RunOptions:
    """How it is run."""

    backend_name: Annotated[
        str, Option("--backend-name", help="A label that is kept with the results.", metavar="NAME")
    ] = ""
    force: Annotated[bool, Option("--force", help="Run although the preflight found errors.")] = False
    dry_run: Annotated[bool, Option("--dry-run", "-n", help="Show the plan and what it would cost; run nothing.")] = (
        False
    )
    no_wait: Annotated[bool, Option("--no-wait", help="Only put it into the queue.")] = False
    timeout: Annotated[
        float | None, Option("--timeout", "-t", help="Seconds to wait at most.", metavar="SECONDS", min=0)
    ] = None
    attempts: Annotated[
        int, Option("--attempts", help="How often a failed run is made, with corrections, at most.", min=1, max=20)
    ] = 3


def case_file_of(options: CaseOptions) -> "CaseFile":
    """What the case file says, completed by the options, which win."""
    from dataclasses import replace

    from towline.operations.simulation_requests import CaseFile, read_case_file, read_params, read_settings

    found = CaseFile() if options.case_file is None else read_case_file(options.case_file)
    params: dict[str, Any] = dict(found.params)
    if options.params is not None:
        params |= read_params(options.params)
    if options.settings:
        params |= read_settings(options.settings)
    return replace(
        found, physics=options.physics or found.physics, params=params, preset=options.preset or found.preset
    )


def planned_from(options: CaseOptions) -> "Planned":
    """The case that the options ask for."""
    from towline.operations.simulation_planning import plan

    asked = case_file_of(options)
    return plan(asked.physics or "grain_growth", asked.params, preset=asked.preset)


def configuration_from(options: PlaceOptions) -> "ConfigEnv":
    """The configuration that the options ask for, checked."""
    from towline.operations.simulation_requests import read_settings
    from towline.operations.simulations import configuration

    given = {name: str(value) for name, value in read_settings(options.keys or []).items()}
    return configuration(options.config, options.profile, given)
