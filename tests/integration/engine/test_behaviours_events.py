"""The stream of events, and hooks."""

import json
import threading
from datetime import UTC, datetime

import pytest
from jobflow import Flow

import towline
from towline.errors import ConfigurationError, InvalidRequest
from towline.testing import jobs
from towline.testing.command_line import tow
from towline.testing.waiting import wait_until


def test_every_change_of_jobs_and_flows_is_in_the_stream(engine):
    good, bad = engine.submit(Flow([jobs.add(1, 2), jobs.fail()], name="two"))
    engine.run()
    found = list(towline.events())
    assert [event.to_state for event in found if event.db_id == good][:2] == ["READY", "CHECKED_OUT"]
    assert [event.to_state for event in found if event.db_id == bad][-1] == "FAILED"
    (finished,) = towline.events(on=["flow finished"])
    assert (finished.is_flow, finished.flow_name, finished.to_state) == (True, "two", "FAILED")
    assert [event.id for event in found] == sorted(event.id for event in found)
    assert {event.db_id for event in towline.events(job=bad)} == {bad}


def test_the_stream_follows_what_happens(engine):
    engine.submit(jobs.add(1, 1))
    engine.run()
    seen, begun = [], threading.Event()

    def follow():
        for event in towline.events(follow=True, since=datetime.now(UTC), on=["COMPLETED"], timeout_seconds=20):
            seen.append(event)
            return

    thread = threading.Thread(target=lambda: (begun.set(), follow()))
    thread.start()
    begun.wait(10)
    (second,) = engine.submit(jobs.add(2, 2))
    engine.run()
    thread.join(30)
    assert [event.db_id for event in seen] == [second]


def test_the_stream_can_be_limited_to_a_flow_and_a_time(engine):
    (first,) = engine.submit(jobs.add(1, 1))
    engine.run()
    later = datetime.now(UTC)
    (second,) = engine.submit(jobs.add(2, 2))
    engine.run()
    assert {event.db_id for event in towline.events(flow=first)} == {first, None}
    assert {event.db_id for event in towline.events(since=later)} == {second, None}
    with pytest.raises(InvalidRequest, match="did you mean 'COMPLETED'"):
        list(towline.events(on=["COMPLETE"]))


def test_events_from_the_command_line(engine):
    (db_id,) = engine.submit(jobs.add(1, 1))
    engine.run()
    lines = tow("events", "--json", "--job", db_id).out.splitlines()
    assert json.loads(lines[-1])["to_state"] == "COMPLETED"
    shown = tow("events", "-m", "3").out.splitlines()
    assert len(shown) == 3
    assert "RUNNING → COMPLETED" in shown[-1] or "COMPLETED" in shown[-1]
    assert tow("events", "--since", "yesterday").code == 1


HOOK = """
import json, pathlib
def told(event):
    with pathlib.Path("called").open("a") as file:
        file.write(json.dumps(event) + "\\n")
"""


def test_hooks_are_run_beside_the_runner(engine):
    trace = engine.home.parent / "trace of hooks"
    run = f'echo "$TOWLINE_EVENT_DB_ID $TOWLINE_EVENT_TO_STATE $TOWLINE_EVENT_NOTE" >> "{trace}"; cat >> "{trace}.json"'
    engine.configure(hooks=[{"on": ["FAILED"], "run": run}, {"on": ["flow finished"], "call": "notices:told"}])
    base = engine.home / "default"
    base.mkdir(parents=True, exist_ok=True)
    (base / "notices.py").write_text(HOOK)
    _, bad = engine.submit(Flow([jobs.add(1, 1), jobs.fail("on $(purpose)")], name="hooked"))
    engine.run()
    assert trace.read_text().startswith(f"{bad} FAILED ValueError: on $(purpose)")
    assert json.loads((engine.home.parent / "trace of hooks.json").read_text())["project"] == "default"
    (told,) = (base / "called").read_text().splitlines()
    assert json.loads(told)["flow_name"] == "hooked"


def test_a_hook_that_fails_stops_nobody_and_is_logged(engine, caplog):
    hooks = [{"on": ["COMPLETED"], "run": "echo no luck; exit 3"}, {"on": ["COMPLETED"], "call": "no_such_module:f"}]
    slow = {"on": ["COMPLETED"], "run": "exec sleep 60", "timeout_seconds": 0.2}
    engine.configure(hooks=[*hooks, slow])
    engine.submit(jobs.add(1, 1))
    engine.run()
    assert engine.states() == {"add.1": "COMPLETED"}
    assert "no luck" in caplog.text
    assert "no_such_module" in caplog.text
    assert "was ended after 0.2 s" in caplog.text


def test_what_happened_while_no_runner_was_there_is_told_once(engine):
    trace = engine.home.parent / "trace"
    engine.configure(hooks=[{"on": ["USER_STOPPED", "COMPLETED"], "run": f"echo $TOWLINE_EVENT_TO_STATE >> {trace}"}])
    engine.submit(jobs.add(1, 1))
    engine.run()
    (db_id,) = engine.submit(jobs.add(1, 1))
    assert tow("job", "stop", db_id).code == 0
    engine.run()
    engine.run()
    wait_until(lambda: trace.exists(), what="the trace")
    assert trace.read_text().split() == ["COMPLETED", "USER_STOPPED"]


def test_a_hook_for_nothing_that_happens_is_refused(engine):
    engine.configure(hooks=[{"on": ["FAILURE"], "run": "true"}])
    with pytest.raises(ConfigurationError, match="no event is called 'FAILURE'"):
        engine.submit(jobs.add(1, 1))
    engine.configure(hooks=[{"on": ["FAILED"]}])
    with pytest.raises(ConfigurationError, match="either `run`, a shell command, or `call`"):
        engine.submit(jobs.add(1, 1))
    engine.configure()
