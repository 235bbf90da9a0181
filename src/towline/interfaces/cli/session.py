"""What holds for the whole call of `tow`: the project that is meant, how errors are shown."""

import sys
from typing import TYPE_CHECKING

from towline.errors import TowlineError
from towline.interfaces.cli import display
from towline.settings import DEFAULT_LOG_LEVEL, load_settings

if TYPE_CHECKING:
    import click

    from towline.operations.compose import OpenProject


class Session:
    """The options before the command."""

    def __init__(self) -> None:
        #: Name of the project; None for the chosen or only one.
        self.project: str | None = None
        self.full_exc = False
        #: Whether the commands of plugins were looked for.
        self.plugins_loaded = False
        #: Whether what the command does is shown in detail.
        self.logs_details = False

    def begin(self, project: str | None, *, full_exc: bool, warn_project: bool) -> None:
        """Take the options over."""
        self.project = project
        # Settings that are wrong must not hide the error that they cause later.
        self.full_exc = full_exc
        settings = load_settings()
        self.full_exc = full_exc or settings.cli_full_exc
        display.suggesting = settings.cli_suggestions
        if settings.cli_log_level != DEFAULT_LOG_LEVEL:
            _log_to_terminal(settings.cli_log_level)
            self.logs_details = settings.cli_log_level == "debug"
        if warn_project:
            _warn_of_projects()

    @staticmethod
    def complete_project(context: "click.Context", incomplete: str) -> list[str]:
        """Names of projects, for the shell."""
        from towline.operations.projects import list_projects  # only when a name is completed

        try:
            names = [project.name for project in list_projects()]
        except TowlineError:
            return []
        return [name for name in names if name is not None and name.startswith(incomplete)]


def open_session(context: "click.Context", *, patience_seconds: float | None = None) -> "OpenProject":
    """The project that the command is about, opened.

    Parameters
    ----------
    patience_seconds
        How long to wait while somebody else writes to the database; as long as usual when None.
    """
    # What composes a project loads the runner and the workers too; help needs none of it.
    from towline.operations.compose import open_project

    opened = open_project(project_of(context))
    session: Session = context.find_root().obj
    if session.logs_details:
        source = opened.project.source or "no file"
        _log(f"the project {opened.project.name} from {source}, its queue in {opened.database.place}")
    if patience_seconds is not None:
        opened.database.patience_seconds = patience_seconds
    return opened


def project_of(context: "click.Context") -> str | None:
    """Name of the project that the command is about; None for the chosen or only one."""
    session: Session = context.find_root().obj
    return session.project


def _log_to_terminal(level: str) -> None:
    """Show what the parts of towline log; warnings and errors are shown without that."""
    import logging  # nobody else needs it

    name = {"warn": "WARNING"}.get(level, level.upper())
    logging.basicConfig(stream=sys.stderr, format="tow: %(levelname)s %(name)s: %(message)s")
    logging.getLogger("towline").setLevel(name)


def _log(text: str) -> None:
    import logging  # see _log_to_terminal

    logging.getLogger(__name__).debug(text)


def _warn_of_projects() -> None:
    from towline.operations.projects import list_projects  # only when asked for

    for project in list_projects():
        if project.problem is not None:
            print(f"tow: {project.file}: {project.problem}", file=sys.stderr)
