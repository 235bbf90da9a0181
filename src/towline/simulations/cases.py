"""Cases, findings and verdicts as JSON documents, which jobs hand to each other and records keep."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from towline.simulations.application import (
    Case,
    CheckResult,
    Finding,
    Metric,
    Origin,
    Outcome,
    Severity,
    Value,
    Verdict,
    Word,
)


def case_document(case: Case) -> dict[str, Any]:
    """A case as JSON-like values."""
    return {
        "physics": case.physics,
        "values": {
            name: {"value": one.value, "unit": one.unit, "origin": one.origin.value, "note": one.note}
            for name, one in case.values.items()
        },
    }


def read_case(document: Mapping[str, Any]) -> Case:
    """The case of a document that :func:`case_document` made."""
    values = {
        name: Value(one["value"], Origin(one["origin"]), one.get("unit", ""), one.get("note", ""))
        for name, one in document["values"].items()
    }
    return Case(document["physics"], values)


def stated_values(case: Case) -> dict[str, Value]:
    """The values of a case that somebody chose: from them the case can be resolved again."""
    return {name: value for name, value in case.values.items() if value.origin not in (Origin.DEFAULT, Origin.DERIVED)}


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as JSON-like values."""
    return {
        "check": finding.check,
        "severity": finding.severity.value,
        "message": finding.message,
        "proposal": dict(finding.proposal),
    }


def read_finding(document: Mapping[str, Any]) -> Finding:
    """The finding of a document that :func:`finding_document` made."""
    return Finding(document["check"], Severity(document["severity"]), document["message"], document["proposal"])


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """A verdict, its sentence and its checks as JSON-like values."""
    return {
        "verdict": verdict.word.value,
        "sentence": verdict.sentence(),
        "falsified_by": list(verdict.falsified_by),
        "undecided": list(verdict.undecided),
        "checks": [_check_document(one) for one in verdict.results],
    }


def read_verdict(document: Mapping[str, Any]) -> Verdict:
    """The verdict of a document that :func:`verdict_document` made."""
    return Verdict(Word(document["verdict"]), tuple(_read_check(one) for one in document["checks"]))


def metric_document(metric: Metric) -> dict[str, Any]:
    """A metric as JSON-like values."""
    return asdict(metric)


def _check_document(result: CheckResult) -> dict[str, Any]:
    document = asdict(result)
    return document | {"outcome": result.outcome.value, "rows": None if result.rows is None else list(result.rows)}


def _read_check(document: Mapping[str, Any]) -> CheckResult:
    rows = document.get("rows")
    return CheckResult(
        check=document["check"],
        title=document["title"],
        outcome=Outcome(document["outcome"]),
        reason=document["reason"],
        numbers=document.get("numbers", {}),
        rows=None if rows is None else (int(rows[0]), int(rows[1])),
        mandatory=document.get("mandatory", True),
        cause=document.get("cause", ""),
        recovery=document.get("recovery", ""),
    )
