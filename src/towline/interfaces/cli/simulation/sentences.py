"""Simulating what a sentence asks for."""

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from towline.errors import InvalidRequest
from towline.interfaces.cli.display import print_json, say
from towline.interfaces.cli.simulation.options import (
    CaseOptions,
    PlaceOptions,
    RunOptions,
    case_file_of,
    configuration_from,
)
from towline.interfaces.cli.simulation.sweeping import run_members, show_members

if TYPE_CHECKING:
    from towline.simulations.sentence.plan import Plan


def simulate_sentence(
    context: click.Context, sentence: str, case: CaseOptions, place: PlaceOptions, run: RunOptions, *, as_json: bool
) -> None:
    """Read a sentence, show what was understood, and run it; parameters that are given as well go before.

    Raises
    ------
    InvalidRequest
        The sentence does not say what to simulate, or something in it was not understood and nobody insists.
    """
    from towline.operations.simulation_planning import plan_document, plan_sentence, read_sentence, sentence_document

    asked = case_file_of(case)
    found = read_sentence(sentence, configuration_from(place))
    _show(found)
    members = plan_sentence(found, asked.params)
    if run.dry_run and as_json:
        print_json({"sentence": sentence_document(found), "members": [plan_document(one) for one in members]})
    elif run.dry_run:
        show_members(members, run, as_json=False)
    if found.not_understood and not run.force:
        # A dry run has shown what there would be, and ends as the run itself would.
        raise InvalidRequest(
            f"not understood: {'; '.join(found.not_understood)}. Say it in other words, give it with --set, or insist "
            "with --force"
        )
    if run.dry_run:
        return
    if found.backend and not any(one.startswith("EXECUTION_BACKEND=") for one in place.keys or ()):
        place = replace(place, keys=[*(place.keys or ()), f"EXECUTION_BACKEND={found.backend}"])
    place = _with_solver(found, place)
    run = replace(run, backend_name=run.backend_name or asked.backend_name or "")
    told = sentence_document(found)
    run_members(context, members, {"sentence": sentence}, place, run, as_json=as_json, sentence=told)


def _with_solver(found: "Plan", place: PlaceOptions) -> PlaceOptions:
    """The place with the solver that the sentence asks for.

    Raises
    ------
    InvalidRequest
        It asks for MOOSE, and no executable is configured here.
    """
    if found.solver == "embedded":
        return replace(place, keys=[*(place.keys or ()), "MOOSE_EXEC="])
    config = configuration_from(place)
    if found.solver == "moose" and config.backend == "local" and not config.get("MOOSE_EXEC"):
        raise InvalidRequest("the sentence asks for MOOSE, but MOOSE_EXEC names no executable; set it in config.env")
    return place


def _show(found: "Plan") -> None:
    say(f"physics: {found.physics} (read by {found.reader})")
    for title, lines in (
        ("understood", found.understood),
        ("assumed", found.assumed),
        ("NOT understood", found.not_understood),
    ):
        for line in lines:
            say(f"{title}: {line}")
    if found.cases > 1:
        say(f"simulations: {found.cases}")
