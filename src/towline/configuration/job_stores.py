"""What a project says about where outputs go."""

from collections.abc import Iterable, Mapping
from typing import Any

from towline.configuration.model import Project
from towline.configuration.secrets import resolve
from towline.errors import ConfigurationError, InvalidFlow

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


def refuse_missing_stores(project: Project, name: str | None, wanted: Iterable[tuple[str, Iterable[str]]]) -> None:
    """Refuse jobs that save parts of their output where the job store of a name has no place for them.

    Parameters
    ----------
    wanted
        ``(name of the job, its additional stores)``.

    Raises
    ------
    ConfigurationError
        There is no job store of that name.
    InvalidFlow
        It lacks one of the additional stores.
    """
    document = jobstore_document(project, name)
    if "@class" in document:
        return  # what is in it is known when it is made
    known = document.get("additional_stores") or {}
    where = "jobstore" if name is None else f"optional_jobstores: {{{name}"
    for job, stores in wanted:
        for store in stores:
            if store not in known:
                raise InvalidFlow(
                    f"job {job!r} saves in the additional store {store!r}; the job store{f' {name}' if name else ''} "
                    f"has {', '.join(sorted(known)) or 'none'}. Add it to the project: "
                    f"{where}: {{additional_stores: {{{store}: {{type: sql}}}}}}{'}' if name else ''}"
                )
