"""What a project says about where outputs go."""

from collections.abc import Mapping
from typing import Any

from towline.configuration.model import Project
from towline.configuration.secrets import resolve
from towline.errors import ConfigurationError

#: Type of towline's own store, in the database of the queue.
SQL_STORE = "sql"

_DOCS_STORE = {"type": SQL_STORE}
#: Where outputs go when a project does not say it.
DEFAULT_JOBSTORE: Mapping[str, Any] = {"docs_store": _DOCS_STORE, "additional_stores": {"data": {"type": SQL_STORE}}}


def jobstore_document(project: Project, name: str | None = None) -> Mapping[str, Any]:
    """The job store of a project, or the optional one called `name`, with secrets resolved.

    It is jobflow's short form (``docs_store``, ``additional_stores``; always with ``docs_store``), where the type
    ``sql`` stands for towline's own store, or a serialized store (``@module``, ``@class``).

    Raises
    ------
    ConfigurationError
        There is no optional store of that name, or a secret cannot be found.
    """
    if name is None:
        document, where = project.jobstore, "jobstore"
    elif name in project.optional_jobstores:
        document, where = project.optional_jobstores[name], f"optional_jobstores.{name}"
    else:
        known = ", ".join(project.optional_jobstores) or "none"
        raise ConfigurationError(f"the project {project.name} has no optional job store {name!r}; it has: {known}")
    if document is None:
        return DEFAULT_JOBSTORE
    resolved: Mapping[str, Any] = resolve(document, where)
    return resolved if "@class" in resolved or resolved.get("docs_store") else {**resolved, "docs_store": _DOCS_STORE}
