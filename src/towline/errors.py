"""Every error that towline raises on purpose.

A message says what happened, with the value, and what to type next.

::

    TowlineError
    ├── ConfigurationError            the configuration is wrong: the user corrects it
    │   ├── ProjectUndefined          no such project, or several and none chosen
    │   └── ProjectUnreadable         a project file that cannot be parsed or has unknown keys
    ├── InvalidRequest                what was asked for cannot be done as asked
    │   ├── InvalidFlow               a flow that cannot be stored: missing reference, cycle, unusable function
    │   ├── InvalidCriteria           a query the job store cannot answer
    │   ├── NoSuchJob
    │   ├── NoSuchFlow
    │   └── IllegalMove               a change of state that the rules forbid
    ├── StoreError                    the database refused or is damaged
    │   ├── StoreBusy                 another process held the database for too long; transient
    │   ├── StoreFull                 no space left for the database; transient
    │   ├── StoreUnreachable          no connection to the database server; transient
    │   ├── CommitUnknown             the connection was lost in a commit, and nobody could be asked what became of it
    │   ├── SchemaTooOld              an older schema that cannot be upgraded now
    │   └── SchemaTooNew              written by a newer towline
    ├── RunnerError
    │   ├── RunnerAlreadyActive       another runner holds this project
    │   ├── RunnerNotActive
    │   └── LeaseLost                 this runner was replaced by another one and has to end
    ├── WorkerError                   an action on a worker failed
    │   ├── ConnectionFailed          no connection to the worker: nothing was done there; says why by name
    │   │   └── LoginNeeded           the worker does not let us in; goes on after `tow worker login`
    │   ├── OutcomeUnknown            the connection ended or time ran out before the answer: it may have been done
    │   └── TransferFailed            the worker answered that it could not read or write the files
    └── WaitTimedOut                  what was waited for did not happen in time
"""

from enum import Enum


class TowlineError(Exception):
    """Base of every error that towline raises on purpose."""

    #: Whether the same call may succeed later without anybody changing anything (a busy database, a full disk).
    transient = False


class ConfigurationError(TowlineError):
    """The configuration is wrong; the user corrects it."""


class ProjectUndefined(ConfigurationError):
    """There is no such project, or there are several and none was chosen."""


class ProjectUnreadable(ConfigurationError):
    """A project file cannot be parsed, or has a key that does not exist."""


class InvalidRequest(TowlineError):
    """What was asked for cannot be done as asked."""


class InvalidFlow(InvalidRequest):
    """A flow cannot be stored: a missing reference, a cycle, a function that no worker could find."""


class InvalidCriteria(InvalidRequest):
    """A query that cannot be answered; the alternative would be a wrong answer."""


class NoSuchJob(InvalidRequest):
    """No job has this id."""


class NoSuchFlow(InvalidRequest):
    """No flow has this id."""


class NoSuchBatch(InvalidRequest):
    """No allocation of a batch worker has this id."""


class IllegalMove(InvalidRequest):
    """The rules forbid this change of state."""


class StoreError(TowlineError):
    """The database refused, or is damaged."""


class StoreBusy(StoreError):
    """Another process held the database for longer than we wait."""

    transient = True


class StoreFull(StoreError):
    """There is no space left for the database."""

    transient = True


class StoreUnreachable(StoreError):
    """There is no connection to the database server."""

    transient = True


class CommitUnknown(StoreError):
    """The connection was lost in the middle of a commit, and the server could not be asked what became of it."""


class SchemaTooOld(StoreError):
    """The database has an older schema, and cannot be upgraded now."""


class SchemaTooNew(StoreError):
    """The database was written by a newer towline."""


class RunnerError(TowlineError):
    """The runner cannot do this."""


class RunnerAlreadyActive(RunnerError):
    """Another runner holds this project."""


class RunnerNotActive(RunnerError):
    """No runner is active for this project."""


class RunnerKilled(RunnerError):
    """The runner was asked to end at once."""


class LeaseLost(RunnerError):
    """This runner was replaced by another one and has to end."""


class WorkerError(TowlineError):
    """An action on a worker failed."""


class ConnectionReason(str, Enum):
    """Why there is no connection to a worker."""

    AUTHENTICATION_REFUSED = "authentication refused"  #: no key, certificate or password was accepted
    CERTIFICATE_EXPIRED = "certificate expired"  #: refused, and the certificate on this machine has lapsed
    LOGIN_NEEDED = "login needed"  #: the host asks for a password or one-time password
    HOST_KEY_UNKNOWN = "host key unknown"  #: the host was never seen before
    HOST_KEY_CHANGED = "host key changed"  #: the host shows another key than the one known
    NAME_NOT_RESOLVED = "name not resolved"
    REFUSED = "connection refused"  #: nothing listens there
    UNREACHABLE = "unreachable"  #: no route to the host or its network
    TIMED_OUT = "timed out"
    TOO_MANY_SESSIONS = "too many sessions"  #: the host takes no further session or connection at the moment
    CLOSED = "closed by the host"  #: the host hung up before the login was complete
    MISCONFIGURED = "misconfigured"  #: the ssh client refuses its configuration or a key file
    OTHER = "connection failed"


_FOR_A_PERSON = {
    ConnectionReason.AUTHENTICATION_REFUSED,
    ConnectionReason.CERTIFICATE_EXPIRED,
    ConnectionReason.LOGIN_NEEDED,
    ConnectionReason.HOST_KEY_UNKNOWN,
    ConnectionReason.HOST_KEY_CHANGED,
    ConnectionReason.MISCONFIGURED,
}


class ConnectionFailed(WorkerError):
    """There is no connection to the worker; nothing was done there.

    Parameters
    ----------
    message
        What happened and what to type next.
    reason
        Why, by name.
    retry_after_seconds
        Further attempts before this time are answered with the same error, without touching the network.
    """

    def __init__(
        self, message: str, reason: ConnectionReason = ConnectionReason.OTHER, retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.transient = reason not in _FOR_A_PERSON
        self.retry_after_seconds = retry_after_seconds


class LoginNeeded(ConnectionFailed):
    """The worker does not let us in until a person logs in, or renews a key or certificate."""


class OutcomeUnknown(WorkerError):
    """The connection ended, or time ran out, before the worker answered: what was asked for may have been done."""

    transient = True


class TransferFailed(WorkerError):
    """The worker answered that it could not read or write the files: no space, no permission, no such folder."""


class WaitTimedOut(TowlineError):
    """What was waited for did not happen in time."""

    transient = True
