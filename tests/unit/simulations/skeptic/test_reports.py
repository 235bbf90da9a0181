"""Reports: one file, nothing from outside, and nothing that a run could smuggle into the page."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from towline.simulations import parameters
from towline.simulations.application import (
    CheckResult,
    Figure,
    Finding,
    Member,
    Metric,
    Outcome,
    Results,
    RunFiles,
    Severity,
    Verdict,
)
from towline.simulations.moose.grain_growth import APPLICATION
from towline.simulations.reports import run_report, sweep_report
from towline.simulations.reports.page import flattened, measured, number

NASTY = "<script>alert(1)</script> & \"quoted\" 'too'"


class Page(HTMLParser):
    """What a browser would see: tags that are opened and closed, addresses, text."""

    VOID = ("meta", "img", "br", "!doctype")

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses, self.words, self.tags = [], [], [], []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a beginning"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def _picture(folder, name="picture.png"):
    Image.new("RGB", (40, 30), "red").save(folder / name)
    return Figure(folder / name, f"Title {NASTY}", "Caption.")


def _check(outcome, check="G3"):
    reason = f"a reason {NASTY}"
    return CheckResult(check, "A title", outcome, reason, {"r": 0.5}, (3, 9), cause="a cause", recovery="X")


def _report(folder, outcomes, figures=()):
    case = APPLICATION.resolve(parameters.check(APPLICATION, {"T": 700}))
    files = RunFiles(folder, folder / "run.i", None, folder / "run.csv", None, 0)
    metrics = {"growth_rate": Metric(1.23456e-6, "1/ns", 2e-8, False, f"not valid {NASTY}")}
    findings = [Finding("interface", Severity.WARNING, f"few cells {NASTY}", {"nx": 400})]
    verdict = Verdict.of([_check(outcome, f"G{place}") for place, outcome in enumerate(outcomes)])
    provenance = {"towline": "0.1.0", "hashes": {"input": "ab" * 32}, "prompt": NASTY, "exit": None, "words": []}
    into = folder / "deep" / "report.html"
    run_report(APPLICATION, case, findings, files, Results(metrics, {}), verdict, figures, provenance, into)
    return Page(into.read_text()), into.read_text()


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ([Outcome.PASS], "CREDIBLE"),
        ([Outcome.PASS, Outcome.FAIL], "FALSIFIED"),
        ([Outcome.PASS, Outcome.INCONCLUSIVE], "INCONCLUSIVE"),
        ([], "INCONCLUSIVE"),
    ],
)
def test_the_verdict_stands_on_top_with_its_evidence(tmp_path, outcomes, word):
    page, text = _report(tmp_path, outcomes)
    assert text.index(word) < text.index("<h2>")
    assert "script" not in page.tags
    assert NASTY in "".join(page.words).replace("\n", " ")
    assert "r = 0.5; rows 3 to 9 of the table" in text or not outcomes
    assert "stated" in text
    assert "hashes.input" in text


def test_pictures_are_within_the_page(tmp_path):
    missing = Figure(tmp_path / "gone.png", "Gone", "")
    page, text = _report(tmp_path, [Outcome.PASS], [_picture(tmp_path), _picture(tmp_path, "a.gif"), missing])
    assert [one.split(",")[0] for one in page.addresses] == ["data:image/png;base64", "data:image/gif;base64"]
    assert "gone.png is missing" in text
    assert not re.search(r"(src|href)=.?https?:|@import|url\(", text)


def test_a_sweep_has_a_row_per_run_and_a_column_per_parameter_that_was_varied(tmp_path):
    members = []
    for temperature in (450, 600):
        case = APPLICATION.resolve(parameters.check(APPLICATION, {"T": temperature, "rand_seed": 3}))
        files = RunFiles(tmp_path / f"run{temperature}", tmp_path / "run.i", None, None, None, 0)
        metrics = {"mean_area_rate": Metric(temperature / 100, "nm²/ns", 0.1)} if temperature == 450 else {}
        members.append(Member(case, files, Results(metrics, {}), Verdict.of([_check(Outcome.PASS)])))
    into = tmp_path / "sweep.html"
    sweep_report(APPLICATION, members, Verdict.of([]), [_picture(tmp_path)], {"seed": 1}, into, title="Copper")
    text = into.read_text()
    page = Page(text)
    assert "Copper: Grain growth" in text
    assert "<th>T (K)</th>" in text.replace("\n", "")
    assert "rand_seed" not in text
    assert "run450" in text
    assert "run600" in text
    assert page.tags.count("tr") >= 4
    sweep_report(APPLICATION, [], Verdict.of([]), [], {}, into)
    Page(into.read_text())


def test_numbers_are_written_to_the_digits_that_their_error_leaves():
    assert measured(Metric(0.296123, "eV", 0.0123)) == "0.296 ± 0.012"
    assert measured(Metric(1234.5, "nm", 20.0)) == "1234 ± 20"
    assert measured(Metric(float("nan"))) == "unknown"
    assert number(1.5e-7) == "1.5e−7"
    assert number(True) == "yes"
    assert number(12) == "12"
    assert flattened({"a": {"b": [1, 2]}, "c": None}) == [("a.b", "1, 2"), ("c", "not known")]


def test_figures_of_a_run_without_fields_are_those_of_its_table(grains, mixture):
    for run, names in (
        (grains, {"grains.png", "kinetics.png", "energy.png"}),
        (mixture, {"energy.png", "first_waves.png", "domains.png"}),
    ):
        files = run.write()
        results = run.application.results(run.case, files)
        drawn = run.application.figures(run.case, files, results, run.folder / "figures")
        assert {one.path.name for one in drawn} == names
        assert all(one.path.stat().st_size > 5000 for one in drawn)
        assert run.application.figures(run.case, files, Results({}, {}), run.folder / "figures") == []
        broken = replace(files, exodus=files.csv)
        assert {one.path.name for one in run.application.figures(run.case, broken, results, run.folder)} == names
