"""Start the daemon, submit, look until the flow is done, stop the daemon."""

import time

from jobflow import Flow, job
from jobflow_remote import JobController, submit_flow
from jobflow_remote.jobs.daemon import DaemonManager, DaemonStatus
from jobflow_remote.jobs.state import FlowState


@job
def add(a, b):
    return a + b


first = add(1, 2)
flow = Flow([first, add(first.output, 3)])
dm = DaemonManager.from_project_name()
assert dm.check_status(raise_on_shutdown=False) is DaemonStatus.SHUT_DOWN
assert dm.start(single=True, log_level="info", raise_on_error=True)
try:
    dm.wait_start(timeout=30)
    assert not dm.start()
    jc = JobController.from_project_name()
    submit_flow(flow)
    deadline = time.monotonic() + 60
    while jc.get_flows_info(flow_ids=flow.uuid)[0].state is not FlowState.COMPLETED:
        assert time.monotonic() < deadline, "the flow did not end"
        time.sleep(0.05)
    assert jc.get_running_runner()["hostname"]
    assert dm.check_status() is DaemonStatus.RUNNING
    (process,) = dm.get_processes_info().values()
    assert process["pid"] == jc.get_running_runner()["pid"]
    jc.close()
    assert dm.restart(raise_on_error=True)
    assert next(iter(dm.get_processes_info().values()))["pid"] != process["pid"]
finally:
    assert dm.shut_down(wait=True)
assert dm.check_status(raise_on_shutdown=False) is DaemonStatus.SHUT_DOWN
assert not dm.stop()
print("done")
