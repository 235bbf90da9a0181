"""What a project does when something happens: commands and functions that the runner's process starts, beside its work.

A thread with a connection of its own follows the journal. Each hook is a process; nothing that it does, and nothing
that goes wrong with it, reaches the jobs. An event may be told twice when a runner is killed, never less than once.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

import orjson

from towline.configuration.model import HookConfig, Project
from towline.core.event_filter import read_wanted
from towline.errors import StoreError
from towline.operations.events import wait_for_change
from towline.store.database import Database
from towline.store.events import QueueEvent, newest_event, read_events, seen_by_hooks, set_seen_by_hooks

logger = logging.getLogger("towline.hooks")

_BATCH = 200
_ERROR_CHARACTERS = 1000
_JOIN_SECONDS = 90.0


class Hooks:
    """The hooks of a project; :meth:`use` gives them a changed configuration."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.use(project)

    def use(self, project: Project) -> None:
        """Go on with the hooks of this configuration."""
        self._project = project
        if project.hooks and self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="towline hooks", daemon=True)
            # What happens from here on is told, however long the thread takes to begin.
            _begin(project)
            self._thread.start()

    def close(self) -> None:
        """Tell what has happened so far, and end."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(_JOIN_SECONDS)

    def _follow(self) -> None:
        database = Database(self._project.queue_place, actor="hooks")
        try:
            while True:
                ending = self._ending.is_set()
                version = -1
                try:
                    version = database.data_version()
                    while self._tell_next(database):
                        pass
                except StoreError as error:
                    logger.error("hooks wait: %s", error)
                if ending:
                    return
                wait_for_change(database, version, self._ending.is_set)
        finally:
            database.close()

    def _tell_next(self, database: Database) -> bool:
        """Tell the hooks of the next events; False when there is none."""
        prefix = self._project.queue.db_id_prefix or ""
        found = read_events(database, after=seen_by_hooks(database) or 0, limit=_BATCH, prefix=prefix)
        for event in found:
            for hook in self._project.hooks:
                wanted = read_wanted(hook.on)
                if wanted.admits(is_flow=event.is_flow, from_state=event.from_state, to_state=event.to_state):
                    run_hook(self._project, hook, event)
        if found:
            set_seen_by_hooks(database, found[-1].id)
        return bool(found)


def run_hook(project: Project, hook: HookConfig, event: QueueEvent) -> bool:
    """Run a hook for an event, and wait for its end; False when it failed, which is logged."""
    document = {**event.document(), "project": project.name}
    command: Sequence[str] = ["/bin/sh", "-c", hook.run or ""]
    if hook.call is not None:
        command = [sys.executable, "-m", "towline.operations.hook_call", hook.call]
    variables = {f"TOWLINE_EVENT_{key.upper()}": "" if value is None else str(value) for key, value in document.items()}
    name = hook.run or hook.call
    try:
        done = subprocess.run(
            command,
            input=orjson.dumps(document),
            env={**os.environ, **variables},
            cwd=project.base_dir,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=hook.timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        logger.error("the hook %r was ended after %g s (event %d)", name, hook.timeout_seconds, event.id)
        return False
    except OSError as error:
        logger.error("the hook %r cannot be started: %s", name, error)
        return False
    if done.returncode != 0:
        printed = done.stdout.decode(errors="replace").strip()[-_ERROR_CHARACTERS:]
        logger.error("the hook %r ended with %d (event %d): %s", name, done.returncode, event.id, printed)
        return False
    return True


def _begin(project: Project) -> None:
    """Without an earlier runner, nothing of the past is told."""
    database = Database(project.queue_place, actor="hooks")
    try:
        if seen_by_hooks(database) is None:
            set_seen_by_hooks(database, newest_event(database))
    finally:
        database.close()
