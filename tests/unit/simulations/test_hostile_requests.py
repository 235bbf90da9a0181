"""Whatever is stated, however odd: a case that can be written, or one clear refusal."""

import contextlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from towline.errors import ConfigurationError, InvalidRequest
from towline.operations.simulation_planning import plan
from towline.operations.simulation_records import refuse_full_disk
from towline.operations.simulation_requests import read_axes, read_params, read_settings
from towline.simulations import registry
from towline.simulations.config_env import ConfigEnv, read_file
from towline.simulations.moose.input_file import parse

_APPLICATIONS = {name: registry.find(name) for name in ("grain_growth", "spinodal")}
_NAMES = st.sampled_from([one.name for found in _APPLICATIONS.values() for one in found.parameters]) | st.text(
    max_size=8
)
_VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["800 K", "1e3", "1 um", "FeCr", "Random", "num_steps", "-1", "0", "1e400", "nan", "../x", "$(id)"]
    )
    | st.lists(st.integers(), max_size=2)
)


@st.composite
def extremes(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    """Some parameters of a physics at the ends of their ranges."""
    physics = draw(st.sampled_from(sorted(_APPLICATIONS)))
    numbers = [one for one in _APPLICATIONS[physics].parameters if one.minimum is not None]
    chosen = draw(st.lists(st.sampled_from(numbers), max_size=5, unique_by=lambda one: one.name))
    return physics, {one.name: draw(st.sampled_from([one.minimum, one.maximum])) for one in chosen}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.tuples(st.sampled_from(sorted(_APPLICATIONS)), st.dictionaries(_NAMES, _VALUES, max_size=5)) | extremes())
def test_a_request_is_planned_or_refused(asked: tuple[str, dict[str, object]]) -> None:
    try:
        planned = plan(*asked)
    except InvalidRequest:
        return
    case, application = planned.case, planned.application
    text = application.input_text(case)
    assert parse(text, "case.i").root.section("Mesh") is not None
    assert "\0" not in application.directory_label(case)
    for finding in planned.findings:
        assert finding.message
        assert "nan" not in finding.message


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_text_of_the_command_line_is_read_or_refused(text: str) -> None:
    for read in (read_params, lambda one: read_settings([one]), lambda one: read_axes([one])):
        with contextlib.suppress(InvalidRequest):
            read(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_a_configuration_is_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.env"
        path.write_bytes(content)
        with contextlib.suppress(ConfigurationError):
            for name, value in read_file(path).items():
                assert name.isidentifier()
                assert isinstance(value, str)


def test_runs_that_find_no_room_are_refused_with_what_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ConfigEnv({"RUNS_DIR": str(tmp_path / "not" / "there" / "yet")})
    members = [plan("spinodal", {"c0": 0.5})] * 3
    refuse_full_disk(members, config)
    needed = sum(one.cost.disk_bytes for one in members)
    total = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: total._replace(free=int(needed) - 1))
    with pytest.raises(InvalidRequest, match=rf"has .* MiB of room, and about {needed / 2**20:,.1f} MiB are needed"):
        refuse_full_disk(members, config)
    refuse_full_disk(members, config, force=True)
