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
    │   └── SchemaTooNew              written by a newer towline
    ├── RunnerError
    │   ├── RunnerAlreadyActive       another runner holds this project
    │   ├── RunnerNotActive
    │   └── LeaseLost                 this runner was replaced by another one and has to end
    ├── WorkerError                   an action on a worker failed
    └── WaitTimedOut                  what was waited for did not happen in time
"""


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


class SchemaTooNew(StoreError):
    """The database was written by a newer towline."""


class RunnerError(TowlineError):
    """The runner cannot do this."""


class RunnerAlreadyActive(RunnerError):
    """Another runner holds this project."""


class RunnerNotActive(RunnerError):
    """No runner is active for this project."""


class LeaseLost(RunnerError):
    """This runner was replaced by another one and has to end."""


class WorkerError(TowlineError):
    """An action on a worker failed."""


class WaitTimedOut(TowlineError):
    """What was waited for did not happen in time."""

    transient = True
