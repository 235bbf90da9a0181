"""How many jobs each worker may be given now: its own limit, and that of the host that it shares with others."""

from collections import Counter
from collections.abc import Mapping, Sequence

from towline.core.records import Observation
from towline.core.states import IN_FLIGHT
from towline.runner.held import Attempts
from towline.runner.prefetch import Prefetch
from towline.runner.setup import Place, Setup
from towline.store import jobs
from towline.store.database import Transaction


class Room:
    """What the workers of a runner can take, counted in the store."""

    def __init__(self) -> None:
        self._prefetch: dict[str, Prefetch] = {}

    def learn(self, attempts: Attempts, seen: Mapping[str, Sequence[Observation]]) -> None:
        """Take in how long those attempts took that ended among what was seen."""
        for key, observations in seen.items():
            for end in [observation.exit for observation in observations]:
                if end is not None and end.started_at is not None:
                    worker = attempts.by_key[key].job.worker
                    self._prefetch.setdefault(worker, Prefetch()).learn(end.ended_at - end.started_at)

    def free(self, setup: Setup, transaction: Transaction, only_job_id: int | None = None) -> Mapping[str, int]:
        """How many jobs may be claimed for each worker in this transaction.

        Parameters
        ----------
        only_job_id
            No other job is to be claimed.
        """
        free = {name: self._free(name, place, transaction) for name, place in setup.places.items()}
        for host, limit in setup.host_limits.items():
            workers = [name for name, place in setup.places.items() if place.host == host]
            active = sum(transaction.jobs_of_worker(name, IN_FLIGHT) for name in workers)
            room = max(0, limit - active)
            if sum(max(0, free[name]) for name in workers) > room:
                free |= _shares(transaction, {name: free[name] for name in workers}, room, only_job_id)
        return free

    def _free(self, name: str, place: Place, transaction: Transaction) -> int:
        if place.job_limit == 0:
            return 0
        ready = self._prefetch.setdefault(name, Prefetch()).jobs(place.job_limit)
        return place.job_limit + ready - transaction.jobs_of_worker(name, IN_FLIGHT)


def _shares(transaction: Transaction, free: Mapping[str, int], room: int, only_job_id: int | None) -> Mapping[str, int]:
    """The places of a host go to the jobs that are next by priority and age, whichever of its workers they are for."""
    waiting = [
        (-priority, job_id, name)
        for name, places in free.items()
        for priority, job_id in jobs.next_to_claim(transaction, name, min(places, room), only_job_id)
    ]
    taken = Counter(name for _, _, name in sorted(waiting)[:room])
    return {name: taken[name] for name in free}
