"""What jobs ran with is kept once, found again, and goes along with a flow that leaves the project."""

import importlib.metadata
import json
import sys

from jobflow import Flow

import towline
from towline.testing import jobs
from towline.testing.command_line import tow


def test_jobs_of_one_environment_share_its_document(engine):
    ids = engine.submit(Flow([jobs.add(1, 1), jobs.add(2, 2), jobs.fail("on purpose"), towline.command(["true"])]))
    engine.run()
    ((hash_of_it, count),) = engine.rows("SELECT max(hash), count(*) FROM environment")
    assert count == 1
    found = [tow("job", "info", db_id, "--json").json for db_id in ids]
    for document in found[:3]:
        assert document["environment"]["id"] == hash_of_it
        assert document["ran_with"]["executable"] == sys.executable
        assert document["ran_with"]["packages"]["jobflow"] == importlib.metadata.version("jobflow")
    assert found[3]["ran_with"] is None
    shown = " ".join(tow("job", "info", ids[0]).out.split())
    assert f"ran with Python {sys.version.split()[0]} ({sys.executable})" in shown
    assert f"orjson {importlib.metadata.version('orjson')}" in " ".join(tow("job", "info", ids[0], "-v").out.split())
    query = json.dumps({"environment.jobflow": importlib.metadata.version("jobflow")})
    assert len(tow("job", "list", "--query", query, "--json").json) == 3


def test_it_goes_along_with_an_exported_flow(engine, tmp_path):
    (db_id,) = engine.submit(jobs.add(1, 1))
    engine.run()
    before = tow("job", "info", db_id, "--json").json["ran_with"]
    target = tmp_path / "flow.tar.gz"
    assert tow("flow", "export", db_id, "-o", str(target)).code == 0
    other = engine.home / "other.json"
    other.write_text(json.dumps({"name": "other"}))
    imported = tow("-p", "other", "flow", "import", str(target))
    after = tow("-p", "other", "job", "info", "1", "--json").json["ran_with"]
    # What ends the pilots of this test knows one project.
    other.unlink()
    assert imported.code == 0
    assert after == before
