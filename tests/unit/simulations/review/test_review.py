"""Why runs failed: real logs, and the excerpt of every class of failures."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from towline.errors import ConfigurationError
from towline.simulations import moose, registry
from towline.simulations.application import CheckResult, Outcome, RunFiles
from towline.simulations.moose import run_checks
from towline.simulations.moose.grain_growth import limits as of_grains
from towline.simulations.moose.spinodal import limits as of_mixtures
from towline.simulations.remedies import Remedies, read_remedies
from towline.simulations.review import Diagnosis, classify, classify_checks

LOGS = Path(__file__).with_name("logs")
PHYSICS = ("grain_growth", "spinodal")
REMEDIES = {name: read_remedies(registry.find(name).remedies_file) for name in PHYSICS}
GRAINS = REMEDIES["grain_growth"]

#: Log, exit code, class. Those of the embedded solver, of sh, bash and Open MPI are as they were printed.
FAILED = [
    ("divergence.log", 1, "SOLVER_DIVERGENCE"),
    ("abort_on_failure.log", 1, "SOLVER_DIVERGENCE"),
    ("moose_time_step.log", 1, "SOLVER_DIVERGENCE"),
    ("not_a_number.log", 1, "NAN_DETECTED"),
    ("order_parameters.log", 1, "OP_COLOURING"),
    ("new_grain.log", 1, "NONPHYSICAL_NUCLEATION"),
    ("unused_parameter.log", 1, "INPUT_ERROR"),
    ("unknown_object.log", 1, "INPUT_ERROR"),
    ("too_large.log", 1, "PROBLEM_TOO_LARGE"),
    ("memory_error.log", 1, "OUT_OF_MEMORY"),
    ("slurm_memory.log", 137, "OUT_OF_MEMORY"),
    ("slurm_time_limit.log", None, "WALLTIME"),
    ("slurm_preempted.log", None, "INTERRUPTED"),
    ("disk_full.log", 139, "DISK_FULL"),
    ("missing_in_sh.log", 127, "MISSING_EXECUTABLE"),
    ("missing_in_bash.log", 127, "MISSING_EXECUTABLE"),
    ("missing_path.log", 127, "MISSING_EXECUTABLE"),
    ("missing_for_mpi.log", 134, "MISSING_EXECUTABLE"),
    ("mpi_slots.log", 1, "MPI_FAILURE"),
    ("mpi_root.log", 1, "MPI_FAILURE"),
    ("mpi_crash.log", 139, "MPI_FAILURE"),
    ("crash.log", 139, "CRASHED"),
    ("cut_off.log", 1, "INCOMPLETE_UNKNOWN"),
    ("cut_off.log", 137, "INTERRUPTED"),
    ("cut_off.log", 139, "CRASHED"),
]
#: What scheduler and queue say, and the class.
ACCOUNTING = [
    ("timeout", "WALLTIME"),
    ("out_of_memory", "OUT_OF_MEMORY"),
    ("node_failure", "INTERRUPTED"),
    ("preempted", "INTERRUPTED"),
    ("vanished", "INTERRUPTED"),
    ("signal", "CRASHED"),
]
#: Recognised by checks alone: MOOSE says nothing of them.
BY_CHECKS = {"MESH_RESOLUTION", "KINETICS_NOT_ASYMPTOTIC"}


def files(folder: Path, log: str | None, exit_code: int | None) -> RunFiles:
    """What a run left, with one of the logs."""
    path = None
    if log is not None:
        path = folder / "run.log"
        shutil.copyfile(LOGS / log, path)
    return RunFiles(folder, folder / "case.i", path, None, None, exit_code)


def written(folder: Path, text: str, exit_code: int | None) -> RunFiles:
    """What a run left, with this log."""
    path = folder / "run.log"
    path.write_text(text, encoding="utf-8")
    return RunFiles(folder, folder / "case.i", path, None, None, exit_code)


@pytest.mark.parametrize("physics", PHYSICS)
@pytest.mark.parametrize(("log", "exit_code", "failure"), FAILED, ids=[f"{one[0]}-{one[1]}" for one in FAILED])
def test_a_real_log_is_classified(tmp_path: Path, physics: str, log: str, exit_code: int | None, failure: str) -> None:
    found = classify(files(tmp_path, log, exit_code), None, REMEDIES[physics])
    assert found is not None
    assert found.failure == failure
    assert found.evidence
    if found.line is not None:
        lines = (LOGS / log).read_text(encoding="utf-8").splitlines()
        assert lines[found.line - 1] == found.evidence.splitlines()[0]
    assert found.remedy.title in found.sentence()


@pytest.mark.parametrize("exit_code", [0, None])
@pytest.mark.parametrize("log", ["healthy.log", "rejected_steps.log"])
def test_a_run_that_ended_well_has_no_failure(tmp_path: Path, log: str, exit_code: int | None) -> None:
    assert classify(files(tmp_path, log, exit_code), None, GRAINS) is None


def test_no_pattern_matches_a_healthy_log() -> None:
    for log in ("healthy.log", "rejected_steps.log"):
        text = (LOGS / log).read_text(encoding="utf-8")
        for remedies in REMEDIES.values():
            for remedy in remedies.entries:
                matching = [one.pattern for one in remedy.patterns if one.search(text)]
                # Warnings name the embedded solver; the words count in error blocks alone.
                assert not matching or remedy.error_block


def test_a_run_that_still_goes_on_has_no_failure(tmp_path: Path) -> None:
    assert classify(files(tmp_path, "cut_off.log", None), None, GRAINS) is None


@pytest.mark.parametrize(("reason", "failure"), ACCOUNTING)
@pytest.mark.parametrize("log", ["cut_off.log", "rejected_steps.log", None])
def test_accounting_says_why_whatever_the_log_says(tmp_path: Path, reason: str, failure: str, log: str | None) -> None:
    if reason == "signal" and log == "rejected_steps.log":
        return  # it ended well before the signal came
    found = classify(files(tmp_path, log, None), reason, GRAINS)
    assert found is not None
    assert (found.failure, found.source) == (failure, "accounting")
    assert reason in found.evidence


@pytest.mark.parametrize("physics", PHYSICS)
def test_the_excerpt_of_each_class_is_recognised(tmp_path: Path, physics: str) -> None:
    for remedy in REMEDIES[physics].entries:
        assert remedy.excerpt.strip(), remedy.failure
        assert remedy.excerpt_source, remedy.failure
        assert remedy.advice.endswith(".")
        if remedy.excerpt_source.startswith("check"):
            continue
        found = classify(written(tmp_path, remedy.excerpt, 1), None, REMEDIES[physics])
        assert found is not None
        assert found.failure == remedy.failure


@pytest.mark.parametrize("physics", PHYSICS)
def test_every_class_can_be_reached(physics: str) -> None:
    for remedy in REMEDIES[physics].entries:
        by_text = remedy.patterns or remedy.solver_reasons or remedy.reasons or remedy.exit_codes
        assert by_text or remedy.failure in BY_CHECKS or remedy.failure == "INCOMPLETE_UNKNOWN"


@pytest.mark.parametrize("physics", PHYSICS)
def test_every_change_is_of_a_numerical_parameter_and_every_proposal_of_a_physical_one(physics: str) -> None:
    parameters = {one.name: one for one in registry.find(physics).parameters}
    for remedy in REMEDIES[physics].entries:
        for change in remedy.changes:
            # Parameters of the other physics are passed over; a name that nobody has is a mistake.
            assert any(change.parameter in {one.name for one in registry.find(name).parameters} for name in PHYSICS)
            assert change.parameter not in parameters or parameters[change.parameter].numerical
        for proposal in remedy.proposals:
            assert not parameters[proposal.parameter].numerical


def test_the_classes_that_checks_name_exist() -> None:
    modules = (run_checks, of_grains, of_mixtures)
    named = {one.recovery for module in modules for one in vars(module).values() if getattr(one, "recovery", "")}
    assert named
    for remedies in REMEDIES.values():
        assert named <= {one.failure for one in remedies.entries}


def failed(recovery: str, check: str = "G9", *, mandatory: bool = True, **numbers: float) -> CheckResult:
    """A check that failed."""
    return CheckResult(check, "title", Outcome.FAIL, "reason", numbers, mandatory=mandatory, recovery=recovery)


def test_a_failed_check_names_its_class() -> None:
    results = [
        failed("KINETICS_NOT_ASYMPTOTIC", "G3", ratio=3.0),
        failed("MESH_RESOLUTION"),
        failed("MESH_RESOLUTION", "G5"),
    ]
    found = classify_checks(results, GRAINS)
    assert found is not None
    assert (found.failure, found.checks, found.source) == ("MESH_RESOLUTION", ("G9", "G5"), "check")
    assert "reason" in found.evidence


@pytest.mark.parametrize(
    "result",
    [
        failed(""),
        failed("MESH_RESOLUTION", mandatory=False),
        failed("NO_SUCH_CLASS"),
        CheckResult("G9", "t", Outcome.INCONCLUSIVE, "r", recovery="MESH_RESOLUTION"),
        CheckResult("G9", "t", Outcome.PASS, "r", recovery="MESH_RESOLUTION"),
    ],
)
def test_what_proves_nothing_wrong_asks_for_nothing(result: CheckResult) -> None:
    assert classify_checks([result], GRAINS) is None


def test_a_run_without_a_log_is_unknown(tmp_path: Path) -> None:
    found = classify(files(tmp_path, None, 1), None, GRAINS)
    assert found is not None
    assert found.failure == "INCOMPLETE_UNKNOWN"
    assert "no log" in found.evidence


def test_colours_of_a_terminal_do_not_hide_the_evidence(tmp_path: Path) -> None:
    text = (LOGS / "order_parameters.log").read_text(encoding="utf-8").replace("Unable", "\x1b[31mUnable\x1b[0m")
    found = classify(written(tmp_path, text, 1), None, GRAINS)
    assert found is not None
    assert found.failure == "OP_COLOURING"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("failure = 3", "failure"),
        ("[other]\nx = 1", "other"),
        ("[failure.A]\ntitle = 'x'", "advice"),
        ("[failure.A]\ntitle = 'x'\nadvice = 'y'\ncolour = 1", "colour"),
        ("[failure.A]\ntitle = 'x'\nadvice = 'y'\npatterns = ['(']", "regular expression"),
        ("[failure.A]\ntitle = 'x'\nadvice = 'y'\nreasons = ['flu']", "flu"),
        ("[failure.A]\ntitle = 'x'\nadvice = 'y'\nchanges = [{ parameter = 'nx' }]", "exactly one"),
        ("[failure.A]\ntitle = 'x'\nadvice = 'y'\nchanges = [{ parameter = 'nx', add = 1, number = 'N' }]", "together"),
        ("shared = 'gone.toml'", "cannot be read"),
        ("not toml", "no TOML"),
    ],
)
def test_remedies_that_mean_nothing_are_refused(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "remedies.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        read_remedies(file)


def test_remedies_that_share_each_other_are_refused(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.toml").write_text(f"shared = '{other}.toml'", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="leads back"):
        read_remedies(tmp_path / "a.toml")


def test_a_physics_completes_what_it_shares() -> None:
    shared = read_remedies(Path(moose.__file__).with_name("remedies.toml"))
    assert GRAINS["OP_COLOURING"].patterns == shared["OP_COLOURING"].patterns
    assert GRAINS["OP_COLOURING"].changes
    assert not shared["OP_COLOURING"].changes
    assert isinstance(GRAINS, Remedies)


LINES = [line for one in sorted(LOGS.glob("*.log")) for line in one.read_text(encoding="utf-8").splitlines()]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(LINES), max_size=60), st.sampled_from([None, 0, 1, 127, 137, 139]), st.binary(max_size=40)
)
def test_any_log_gets_an_answer(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], code: int | None, end: bytes
) -> None:
    folder = tmp_path_factory.mktemp("run")
    path = folder / "run.log"
    path.write_bytes("\n".join(lines).encode() + end)
    found = classify(RunFiles(folder, folder / "case.i", path, None, None, code), None, GRAINS)
    assert found is None or isinstance(found, Diagnosis)
    if code not in (0, None):
        assert found is not None
