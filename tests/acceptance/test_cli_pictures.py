"""`tow flow graph` as pictures and as text, and where the jobs stand in them."""

import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from towline.core.states import JobState
from towline.operations.compose import open_project
from towline.operations.flow_layout import layout
from towline.testing.command_line import tow
from towline.testing.queue import add_flow, put_in_state

DIAMOND = {"relax": [], "bands": ["relax"], "dos": ["relax"], "cost $5": ["bands", "dos", "relax"]}


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    with open_project() as opened:
        jobs = add_flow(opened.database, DIAMOND, name="silicon")
        put_in_state(opened.database, jobs["relax"], JobState.COMPLETED)
        yield str(jobs["relax"])


def test_an_svg_has_every_job_and_every_edge(flow: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.svg"
    assert tow("flow", "graph", flow, "--path", str(path)).code == 0
    # The text of a picture is drawn as shapes, and stands beside them as a comment.
    text = path.read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert all(f"<!-- {name}" in text for name in ("relax", "bands", "dos", "cost $5", "silicon", "COMPLETED"))
    assert "FAILED" not in text


def test_a_png_is_as_large_as_the_flow_is_wide(flow: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.PNG"
    assert tow("flow", "graph", flow, "--path", str(path), "--label", "db_id").code == 0
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 300
    assert height > 300


def test_files_of_text_have_the_same_flow(flow: str, tmp_path: Path) -> None:
    for ending, expected in ((".txt", "└─ cost $5"), (".dot", '"cost $5"'), (".mmd", "cost $5")):
        path = tmp_path / f"flow{ending}"
        assert tow("flow", "graph", flow, "--path", str(path)).code == 0
        assert expected in path.read_text()


def test_what_cannot_be_drawn_is_refused(flow: str, tmp_path: Path) -> None:
    answer = tow("flow", "graph", flow, "--path", str(tmp_path / "flow.doc"))
    assert answer.code == 1
    assert "no drawing ends with '.doc'; use .svg, .png" in answer.err
    for ending in ("svg", "txt"):
        answer = tow("flow", "graph", flow, "--path", str(tmp_path / "absent" / f"flow.{ending}"))
        assert answer.code == 1
        assert "cannot be written" in answer.err
    answer = tow("flow", "graph", flow, "--dash")
    assert answer.code == 2
    assert "--path flow.svg" in answer.err


def test_children_stand_below_all_their_parents() -> None:
    drawn = layout([1, 2, 3, 4], [(1, 2), (2, 3), (1, 3), (3, 4)])
    heights = {node: place[1] for node, place in drawn.places.items()}
    assert heights == {1: 0, 2: -1, 3: -2, 4: -3}
    # The edge from 1 to 3 passes beside 2, and not through it.
    passing = next(points for points in drawn.edges if len(points) == 3)
    assert passing[1] != drawn.places[2]
    assert (drawn.columns, drawn.rows) == (2, 4)


def test_edges_that_need_not_cross_do_not() -> None:
    drawn = layout([1, 2, 3, 4], [(1, 4), (2, 3)])
    left_to_right = sorted((drawn.places[parent][0], drawn.places[child][0]) for parent, child in ((1, 4), (2, 3)))
    assert left_to_right == [(0, 0), (1, 1)]


def test_a_flow_without_edges_is_one_layer() -> None:
    drawn = layout([5, 6], [])
    assert drawn.places == {5: (0, 0), 6: (1, 0)}
    assert layout([], []).places == {}


def test_a_broad_flow_is_drawn_small_enough_for_png(project_home: Path, tmp_path: Path) -> None:
    with open_project() as opened:
        jobs = add_flow(opened.database, {"root": [], **{f"leaf {number}": ["root"] for number in range(150)}})
    path = tmp_path / "broad.png"
    assert tow("flow", "graph", str(jobs["root"]), "--path", str(path)).code == 0
    width, _ = struct.unpack(">II", path.read_bytes()[16:24])
    assert width <= 200 * 150


@pytest.fixture
def project_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOWLINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
