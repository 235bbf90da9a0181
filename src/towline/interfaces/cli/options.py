"""Options that several commands share, as dataclasses: a command that takes one gets all its options."""

from dataclasses import dataclass
from typing import Annotated

import click

from towline.core.spelling import did_you_mean
from towline.core.states import FlowState, JobState
from towline.interfaces.cli.completions import complete_flow, complete_job, complete_worker
from towline.interfaces.cli.parameters import Argument, Option
from towline.operations.job_lists import Sort

Strings = list[str] | None


def _state(text: str) -> JobState:
    """A state by its name or short code, in any case."""
    wanted = text.strip().upper()
    for state in JobState:
        if wanted in (state.value, state.short_code):
            return state
    raise click.BadParameter(_no_state(text, [state.value for state in JobState]))


def _flow_state(text: str) -> FlowState:
    """A state of a flow by its name, in any case."""
    wanted = text.strip().upper()
    if wanted not in FlowState.__members__:
        raise click.BadParameter(_no_state(text, list(FlowState.__members__)))
    return FlowState[wanted]


def _no_state(text: str, names: list[str]) -> str:
    hint = did_you_mean(text.upper(), names, most=2)
    return f"there is no state {text!r}; " + (hint or f"there are {', '.join(names)}")


def complete_state(context: click.Context, incomplete: str) -> list[str]:
    """States that begin so."""
    return [state.value for state in JobState if state.value.startswith(incomplete.upper())]


def complete_flow_state(context: click.Context, incomplete: str) -> list[str]:
    """States of flows that begin so."""
    return [state.value for state in FlowState if state.value.startswith(incomplete.upper())]


_STATE = Option(
    *("--state", "-s"),
    help="State, or its short code; may be given several times.",
    metavar="STATE",
    parser=_state,
    autocompletion=complete_state,
)
_FLOW_STATE = Option(
    *("--state", "-s"),
    help="State; may be given several times.",
    metavar="STATE",
    parser=_flow_state,
    autocompletion=complete_flow_state,
)
NewState = Annotated[
    JobState,
    Argument(metavar="NEW_STATE", help="Any state.", parser=_state, autocompletion=complete_state),
]

Verbosity = Annotated[int, Option("--verbosity", "-v", help="More columns or details; -vv even more.", count=True)]
Json = Annotated[bool, Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, Option("--yes", "-y", help="Ask nothing.")]
JobId = Annotated[
    str, Argument(metavar="JOB_DB_ID", help="db_id or uuid, or its beginning.", autocompletion=complete_job)
]
JobIndex = Annotated[int | None, Argument(metavar="JOB_INDEX", help="Index, with a uuid; otherwise the newest.", min=1)]
FlowId = Annotated[
    str,
    Argument(
        metavar="FLOW_DB_ID", help="Uuid of a flow, or the db_id of any of its jobs.", autocompletion=complete_flow
    ),
]
FlowByJob = Annotated[bool, Option("--job", "-j", help="The uuid is that of a job.")]
Dates = Annotated[
    str | None, Option("--start-date", "-sdate", help="First day or time of the last update.", metavar="DATE")
]


#: Seconds to wait; None is as long as usual.
Patience = Annotated[
    int | None,
    Option("--wait", "-w", help="Seconds to wait while somebody else writes to the queue; otherwise 30.", min=0),
]
BreakLock = Annotated[
    bool,
    Option("--break-lock", "-bl", refused="is not needed: no lock keeps you from a job or flow. Leave it out"),
]
#: What scripts for jobflow-remote may have in the place of --yes.
HiddenForce = Annotated[bool, Option("--force", "-f", hidden=True)]


@dataclass
class Acting:
    """How a command that changes jobs behaves."""

    wait: Patience = None
    break_lock: BreakLock = False
    yes: Yes = False
    verbosity: Verbosity = 0
    as_json: Json = False


@dataclass
class ActingOnMany(Acting):
    """The same for actions that may be possible for some of the jobs only."""

    raise_on_error: Annotated[
        bool, Option("--raise-on-error", "-re", help="Change nothing at all if one of the jobs cannot be changed.")
    ] = False


@dataclass
class OneJob:
    """A job that has to be named."""

    job_db_id: JobId
    job_index: JobIndex = None


@dataclass
class MaybeOneJob:
    """A job that may be named instead of a query."""

    job_db_id: Annotated[
        str | None,
        Argument(metavar="JOB_DB_ID", help="db_id or uuid, or its beginning.", autocompletion=complete_job),
    ] = None
    job_index: Annotated[
        int | None, Argument(metavar="JOB_INDEX", help="Index, with a uuid; otherwise the newest.", min=1)
    ] = None


@dataclass
class When:
    """Limits of the last update."""

    start_date: Dates = None
    end_date: Annotated[
        str | None, Option("--end-date", "-edate", help="Last day or time of the last update.", metavar="DATE")
    ] = None
    days: Annotated[
        int | None, Option("--days", "-ds", help="Updated in the last so many days.", metavar="N", min=0)
    ] = None
    hours: Annotated[
        int | None, Option("--hours", "-hs", help="Updated in the last so many hours.", metavar="N", min=0)
    ] = None


_JOB_IDS = Option("--job-id", "-jid", help="Job by UUID:INDEX; may be given several times.", metavar="UUID:INDEX")
_DB_IDS = Option("--db-id", "-did", help="Job by db_id; may be given several times.", metavar="DB_ID")
_FLOW_IDS = Option(
    "--flow-id",
    "-fid",
    help="Flow by uuid or db_id of a job; may be given several times.",
    metavar="FLOW_ID",
    autocompletion=complete_flow,
)
_METADATA = Option("--metadata", "-meta", help="Metadata: key=value, commas between several, or JSON.", metavar="META")

_QUERY = Option(
    *("--query", "-q"),
    help='Criteria as in the job store, as JSON: \'{"priority": {"$gt": 2}}\', or key=value.',
    metavar="CRITERIA",
)


@dataclass
class JobQuery(When):
    """Which jobs."""

    job_id: Annotated[Strings, _JOB_IDS] = None
    db_id: Annotated[Strings, _DB_IDS] = None
    flow_id: Annotated[Strings, _FLOW_IDS] = None
    state: Annotated[list[JobState] | None, _STATE] = None
    name: Annotated[str | None, Option("--name", "-n", help="Name, or a pattern such as 'relax*'.")] = None
    metadata: Annotated[str | None, _METADATA] = None
    worker: Annotated[
        Strings,
        Option("--worker", "-wk", help="Worker; may be given several times.", autocompletion=complete_worker),
    ] = None
    query: Annotated[str | None, _QUERY] = None


@dataclass
class FlowQuery(When):
    """Which flows."""

    job_id: Annotated[Strings, Option("--job-id", "-jid", help="Flow of the job.", metavar="UUID")] = None
    db_id: Annotated[Strings, Option("--db-id", "-did", help="Flow of the job.", metavar="DB_ID")] = None
    flow_id: Annotated[Strings, _FLOW_IDS] = None
    state: Annotated[list[FlowState] | None, _FLOW_STATE] = None
    name: Annotated[str | None, Option("--name", "-n", help="Name, or a pattern such as 'bands*'.")] = None
    metadata: Annotated[str | None, _METADATA] = None
    query: Annotated[str | None, _QUERY] = None


@dataclass
class Sorting:
    """Order of a list."""

    sort: Annotated[Sort, Option("--sort", help="What to sort by; the newest or largest come first.")] = Sort.UPDATED_ON
    reverse_sort: Annotated[bool, Option("--reverse-sort", "-revs", help="Oldest or smallest first.")] = False
    max_results: Annotated[
        int, Option("--max-results", "-m", help="How many at most; 0 is all.", metavar="N", min=0)
    ] = 100


@dataclass
class Columns:
    """What a table of jobs shows."""

    output: Annotated[
        str | None, Option("--output", "-o", help="Columns, with commas between them.", metavar="COLUMNS")
    ] = None
    stored_data_key: Annotated[
        Strings, Option("--stored-data-key", "-sdk", help="Key of the stored data to show too.", metavar="KEY")
    ] = None
