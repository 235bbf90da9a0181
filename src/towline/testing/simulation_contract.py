"""What every simulation application promises: bind it in a test class, with ``application`` and a ``small_case``.

::

    class TestGrainGrowth(SimulationContract):
        application = find("grain_growth")
        small_case = {"num_grains": 6, "num_steps": 3}
        two_values = {"T": (600.0, 700.0)}
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from towline.errors import InvalidRequest, TowlineError
from towline.simulations.application import (
    Application,
    Case,
    Member,
    Origin,
    Outcome,
    RunFiles,
    Value,
    Verdict,
    Word,
)
from towline.simulations.cases import case_document, read_case
from towline.simulations.moose.launching import Launch, embedded_command, run_script
from towline.simulations.parameters import check
from towline.simulations.recovery import correct
from towline.simulations.remedies import read_remedies
from towline.simulations.review import classify
from towline.simulations.run_directory import find_files

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"[A-Za-z0-9._-]+")


class SimulationContract:
    """The promises of an application."""

    application: ClassVar[Application]
    #: Stated values of a case that the embedded solver runs in a second or two.
    small_case: ClassVar[Mapping[str, Any]]
    #: A sweepable parameter with two of its values.
    two_values: ClassVar[Mapping[str, Sequence[Any]]]

    @classmethod
    def case(cls, **stated: Any) -> Case:
        """A resolved case."""
        return cls.application.resolve(check(cls.application, stated))

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> RunFiles:
        """The small case, run by the embedded solver."""
        folder = tmp_path_factory.mktemp("run")
        case = cls.case(**cls.small_case)
        name = str(case["run_name"])
        (folder / f"{name}.i").write_text(cls.application.input_text(case))
        script = folder / "run.sh"
        script.write_text(run_script(Launch("embedded", embedded_command()), f"{name}.i", folder))
        done = subprocess.run(["/bin/sh", script], check=False, timeout=120)
        assert done.returncode == 0, (folder / "run.log").read_text()[-2000:]
        return find_files(folder, name)

    def test_it_describes_itself(self) -> None:
        application = self.application
        assert _NAME.fullmatch(application.name)
        assert application.label
        assert application.description
        names = [one.name for one in application.parameters]
        aliases = [alias for one in application.parameters for alias in one.aliases]
        assert len({*names, *aliases}) == len(names) + len(aliases)
        assert set(application.sweepable) <= set(names)
        assert "run_name" in names

    def test_every_parameter_has_a_meaning_and_a_possible_default(self) -> None:
        for parameter in self.application.parameters:
            assert _NAME.fullmatch(parameter.name)
            assert parameter.help, parameter.name
            if parameter.default is not None:
                check(self.application, {parameter.name: parameter.default})

    def test_a_number_has_a_range(self) -> None:
        for parameter in self.application.parameters:
            if parameter.kind in (int, float):
                assert parameter.minimum is not None, parameter.name
                assert parameter.maximum is not None, parameter.name
                for outside in (parameter.minimum - 1, parameter.maximum * 2 + 1):
                    with pytest.raises(InvalidRequest, match=parameter.name):
                        check(self.application, {parameter.name: outside})

    def test_every_preset_is_a_case_without_errors(self) -> None:
        for preset, values in self.application.presets.items():
            case = self.application.resolve(check(self.application, values))
            errors = [one for one in self.application.preflight(case) if one.severity.value == "error"]
            # What is made for a cluster may be too large for the machine of the test.
            assert [one.check for one in errors if one.check != "memory"] == [], preset

    def test_stated_values_are_kept_and_every_value_says_where_it_comes_from(self) -> None:
        case = self.case(**self.small_case)
        stated = check(self.application, self.small_case)
        assert {name: case.values[name] for name in stated} == stated
        for name, value in case.values.items():
            assert value.origin is not Origin.STATED or name in stated
            assert value.origin is not Origin.DERIVED or value.note, name

    def test_resolving_does_not_depend_on_who_asks(self) -> None:
        assert self.case(**self.small_case) == self.case(**self.small_case)
        assert read_case(case_document(self.case(**self.small_case))) == self.case(**self.small_case)

    def test_the_same_case_gives_the_same_input(self) -> None:
        case = self.case(**self.small_case)
        assert self.application.input_text(case) == self.application.input_text(read_case(case_document(case)))

    def test_every_sweepable_parameter_changes_the_input(self) -> None:
        ((name, (first, second)),) = self.two_values.items()
        assert name in self.application.sweepable
        one, other = (self.case(**{**self.small_case, name: value}) for value in (first, second))
        assert self.application.input_text(one) != self.application.input_text(other)

    def test_the_label_of_the_directory_is_safe(self) -> None:
        assert _LABEL.fullmatch(self.application.directory_label(self.case(**self.small_case)))

    def test_preflight_says_something_useful(self) -> None:
        for finding in self.application.preflight(self.case(**self.small_case)):
            assert finding.check
            assert finding.message
            check(self.application, finding.proposal)

    def test_results_have_finite_numbers_and_columns_of_one_length(self, run: RunFiles) -> None:
        results = self.application.results(self.case(**self.small_case), run)
        assert results.metrics
        assert len({len(column) for column in results.series.values()}) == 1
        assert "time" in results.series

    def test_checks_have_ids_titles_and_reasons_and_numerics_pass(self, run: RunFiles) -> None:
        case = self.case(**self.small_case)
        checks = self.application.checks(case, run, self.application.results(case, run))
        assert len({one.check for one in checks}) == len(checks)
        for one in checks:
            assert one.title
            assert one.reason
        assert any(one.mandatory for one in checks)
        failed = [one.check for one in checks if one.check.startswith("N") and one.outcome is Outcome.FAIL]
        assert failed == []

    def test_a_run_without_results_is_no_pass(self, tmp_path: Path) -> None:
        case = self.case(**self.small_case)
        (tmp_path / f"{case['run_name']}.i").write_text(self.application.input_text(case))
        files = find_files(tmp_path, str(case["run_name"]))
        with pytest.raises(TowlineError):
            self.application.results(case, files)

    def test_a_truncated_table_is_no_pass(self, run: RunFiles, tmp_path: Path) -> None:
        case = self.case(**self.small_case)
        assert run.csv is not None
        for path in run.folder.iterdir():
            if path.is_file():
                (tmp_path / path.name).write_bytes(path.read_bytes())
        table = tmp_path / run.csv.name
        table.write_bytes(table.read_bytes()[: table.stat().st_size // 2])
        files = find_files(tmp_path, str(case["run_name"]))
        try:
            checks = self.application.checks(case, files, self.application.results(case, files))
        except TowlineError:
            return
        assert Verdict.of(checks).word is not Word.CREDIBLE

    def test_figures_are_pictures(self, run: RunFiles, tmp_path: Path) -> None:
        case = self.case(**self.small_case)
        figures = self.application.figures(case, run, self.application.results(case, run), tmp_path)
        assert figures
        for figure in figures:
            assert figure.title
            assert figure.path.read_bytes()[:4] in (b"\x89PNG", b"GIF8")

    def test_a_sweep_is_judged_and_drawn_together(self, run: RunFiles, tmp_path: Path) -> None:
        case = self.case(**self.small_case)
        results = self.application.results(case, run)
        verdict = Verdict.of(self.application.checks(case, run, results))
        members = [Member(case, run, results, verdict)]
        for one in self.application.sweep_checks(members):
            # One run says nothing about a sweep.
            assert one.outcome is not Outcome.PASS, one
        self.application.sweep_figures(members, tmp_path)

    def test_remedies_can_be_read_and_touch_numerical_parameters_only(self) -> None:
        remedies = read_remedies(self.application.remedies_file)
        numerical = {one.name for one in self.application.parameters if one.numerical}
        physical = {one.name for one in self.application.parameters if not one.numerical}
        for remedy in remedies.entries:
            assert not {one.parameter for one in remedy.changes} & physical, remedy.failure
        assert numerical

    def test_a_failure_is_told_apart_and_answered_within_the_ranges(self, tmp_path: Path) -> None:
        case = self.case(**self.small_case)
        (tmp_path / f"{case['run_name']}.i").write_text(self.application.input_text(case))
        (tmp_path / "exit_code").write_text("1")
        (tmp_path / "run.log").write_text(
            "Time Step 1, time = 1, dt = 1\n 0 Nonlinear |R| = 1.0e+00\n Solve Did NOT Converge!\n"
            "Aborting as solve did not converge\n*** ERROR ***\n"
            "Solve failed and timestep already at dtmin, cannot continue!\n"
        )
        files = find_files(tmp_path, str(case["run_name"]))
        diagnosis = classify(files, None, read_remedies(self.application.remedies_file))
        assert diagnosis is not None
        correction = correct(case, diagnosis, 1, self.application.parameters)
        assert correction is not None
        changed: Mapping[str, Value] = correction.changes
        assert changed
        check(self.application, {name: value.value for name, value in changed.items()})
        assert self.application.input_text(correction.applied(case)) != self.application.input_text(case)
