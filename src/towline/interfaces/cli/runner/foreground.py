"""`tow runner foreground`."""

import time

import click

from towline.errors import RunnerNotActive
from towline.interfaces.cli.display import say, write_out
from towline.interfaces.cli.session import project_of
from towline.operations.job_folders import FilesHere
from towline.operations.runners import status

_LAST_BYTES = 4096
_SECONDS_BETWEEN_LOOKS = 0.2
_LOOKS_BETWEEN_STATUS = 10


def command(context: click.Context) -> None:
    """Follow what the runner logs, until it ends or Ctrl-C; the runner goes on."""
    found = status(project_of(context))
    if not found.active or found.log_file is None:
        raise RunnerNotActive(f"no runner is active for the project {found.project}; to start one: tow runner start")
    say(f"== {found.log_file}")
    length = found.log_file.stat().st_size if found.log_file.exists() else 0
    log = FilesHere({found.log_file: max(0, length - _LAST_BYTES)})
    try:
        looks = 0
        while True:
            write_out("".join(log.news()))
            looks += 1
            if looks % _LOOKS_BETWEEN_STATUS == 0 and not status(project_of(context)).active:
                write_out("".join(log.news()))
                return
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        return
