"""Methods of jobflow-remote's JobController that have no meaning without MongoDB and its locks.

A script that calls one is told what to use instead, rather than that there is no such attribute.
"""

from collections.abc import Callable
from typing import NoReturn

from towline.errors import InvalidRequest

_THE_RUNNER = "the runner does this in one transaction; Runner(project_name).run_one_job(db_id=...) runs a single job"
_NO_LOCKS = "there are no locks: every change is one transaction. Call the action itself, such as stop_job or rerun_job"
_BATCHES = "the runner keeps the records of batch processes; get_batches() and `tow batch list` show them"
_INDEXES = "the indexes of the queue belong to its schema; get_jobstore().ensure_index(path) makes one for outputs"
_HEARTBEAT = "a runner keeps a lease by its heartbeat; get_running_runner() and `tow runner status` show it"


def _absent(name: str, instead: str) -> Callable[..., NoReturn]:
    def method(*arguments: object, **keywords: object) -> NoReturn:
        raise InvalidRequest(f"JobController.{name} has no meaning here: {instead}")

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Refused with InvalidRequest: {instead}."
    return method


class AbsentMethods:
    """What cannot be done, each with what to do instead."""

    set_job_doc_properties = _absent(
        "set_job_doc_properties", "use set_job_run_properties for what a job asks for, set_job_state for its state"
    )
    get_flow_job_aggreg = _absent("get_flow_job_aggreg", "use get_flows_info(with_jobs_info=True)")
    get_flow_jobs_data = _absent("get_flow_jobs_data", "use get_flows_info(with_jobs_info=True)")
    generate_flow_id_query = _absent("generate_flow_id_query", "flow_ids, db_ids and job_ids of each method name flows")
    get_collection = _absent("get_collection", "use get_jobs(query), get_flows_info() and get_jobstore()")

    checkout_job = _absent("checkout_job", _THE_RUNNER)
    complete_job = _absent("complete_job", _THE_RUNNER)
    checkin_job = _absent("checkin_job", _THE_RUNNER)
    refresh_children = _absent("refresh_children", "children are counted in the transaction that ends their parent")
    update_flow_state = _absent("update_flow_state", "every change of a job sets the state of its flow too")
    ping_flow_doc = _absent("ping_flow_doc", "every change of a job sets the time of its flow too")
    stop_children = _absent("stop_children", "return Response(stop_children=True) from the job, or use stop_jobs(...)")
    stop_jobflow = _absent("stop_jobflow", "return Response(stop_jobflow=True), or use stop_jobs(flow_ids=...)")

    lock_job = _absent("lock_job", _NO_LOCKS)
    lock_flow = _absent("lock_flow", _NO_LOCKS)
    lock_auxiliary = _absent("lock_auxiliary", _NO_LOCKS)
    lock_job_for_update = _absent("lock_job_for_update", _NO_LOCKS)
    lock_job_flow = _absent("lock_job_flow", _NO_LOCKS)

    add_batch_process = _absent("add_batch_process", _BATCHES)
    update_job_in_batch = _absent("update_job_in_batch", _BATCHES)
    set_running_batch_process = _absent("set_running_batch_process", _BATCHES)
    set_finished_batch_process = _absent("set_finished_batch_process", _BATCHES)
    fix_batch_doc_jobs = _absent("fix_batch_doc_jobs", _BATCHES)

    ping_running_runner = _absent("ping_running_runner", _HEARTBEAT)
    get_runner_pings = _absent("get_runner_pings", _HEARTBEAT)
    clean_runner_pings = _absent("clean_runner_pings", _HEARTBEAT)

    create_indexes = _absent("create_indexes", _INDEXES)
    compact = _absent("compact", "the database reuses the room of what was deleted")
    update_version_information = _absent("update_version_information", "the database keeps its schema version itself")
    upgrade_check_jobflow = _absent(
        "upgrade_check_jobflow", "each job keeps the versions it ran with: get_job_info(...).environment"
    )
    upgrade_full_check = _absent(
        "upgrade_full_check", "each job keeps the versions it ran with: get_job_info(...).environment"
    )
