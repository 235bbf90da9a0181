"""Retry policies on jobflow jobs: as users give them, and as the queue stores them."""

from collections.abc import Mapping
from typing import Any

from jobflow import Job

from towline.core.retry_policy import read_policy
from towline.errors import ConfigurationError, InvalidFlow
from towline.jobflow.local_modules import folders_beside_the_script


def plain_policy(retry: Mapping[str, Any]) -> dict[str, Any]:
    """A policy without functions: handlers are named as ``module:function``.

    Raises
    ------
    ConfigurationError
        It is no policy, or a handler cannot be imported by another process.
    """
    plain = {str(reason): _without_function(rule) for reason, rule in retry.items()}
    read_policy(plain)
    return plain


def retry_of(job: Job, manager_config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The policy of a job as the queue stores it, with the folders in which its handlers may be.

    Raises
    ------
    InvalidFlow
        It is no policy.
    """
    given = manager_config.get("retry")
    if given is None:
        return None
    try:
        policy = plain_policy(given) if isinstance(given, Mapping) else read_policy(given)
    except ConfigurationError as error:
        raise InvalidFlow(f"job {job.name!r} ({job.uuid}): {error}") from error
    return {reason: _with_folders(rule) for reason, rule in policy.items()}


def _without_function(rule: Any) -> Any:
    if not isinstance(rule, Mapping) or not callable(rule.get("handler")):
        return dict(rule) if isinstance(rule, Mapping) else rule
    function = rule["handler"]
    module, name = getattr(function, "__module__", "__main__"), getattr(function, "__qualname__", "")
    if module == "__main__" or not name.isidentifier():
        raise ConfigurationError(
            f"the handler {name or function!r} of {module} cannot be imported by another process; "
            "put it into a module, at its top level"
        )
    return {**rule, "handler": f"{module}:{name}"}


def _with_folders(rule: Any) -> Any:
    if isinstance(rule, Mapping) and rule.get("handler") is not None and "python_path" not in rule:
        return {**rule, "python_path": folders_beside_the_script()}
    return rule
