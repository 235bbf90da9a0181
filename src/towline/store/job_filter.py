"""Which jobs a search is about, and which part of the list is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from towline.core.states import JobState

if TYPE_CHECKING:
    # Lists without criteria need nothing of it.
    from towline.store.queue_criteria import QueueCriteria


class Sort(str, Enum):
    """What a list is sorted by."""

    CREATED_ON = "created_on"
    UPDATED_ON = "updated_on"
    DB_ID = "db_id"


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; what is empty or None does not restrict."""

    #: ``(uuid, index)``; without an index, the newest.
    job_ids: tuple[tuple[str, int | None], ...] = ()
    db_ids: tuple[int, ...] = ()
    #: Uuids of flows.
    flow_ids: tuple[str, ...] = ()
    states: tuple[JobState, ...] = ()
    #: First and last time of the last update; local time when naive.
    start_date: datetime | None = None
    end_date: datetime | None = None
    #: Exact name, or a pattern with ``*``, ``?`` and ``[...]``.
    name: str | None = None
    #: Values of the job's metadata by key; ``a.b`` is `b` inside of `a`.
    metadata: Mapping[str, Any] = field(default_factory=dict)
    workers: tuple[str, ...] = ()
    #: Only jobs that a runner holds.
    locked: bool = False
    #: Only jobs of this kind of payload.
    payload_kind: str | None = None
    #: Criteria in the language of the job store.
    query: "QueueCriteria | None" = None

    @property
    def is_empty(self) -> bool:
        """Whether it restricts nothing: every job is meant."""
        return self == JobFilter()

    @property
    def names_jobs(self) -> bool:
        """Whether it names certain jobs or flows, which are few."""
        return bool(self.job_ids or self.db_ids or self.flow_ids)


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list, in which order."""

    sort: Sort = Sort.UPDATED_ON
    #: Oldest or smallest first; usually the newest are.
    ascending: bool = False
    #: 0 is no limit.
    limit: int = 0
    skip: int = 0
