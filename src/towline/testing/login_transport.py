"""The transport to a site of the tests that is reached by starting a program, as a user of that site."""

import pwd
import subprocess
from collections.abc import Mapping, Sequence

from towline.testing.debian import JOB_USER
from towline.workers.transports.local import LocalTransport
from towline.workers.transports.shell_text import Shell

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class LoginTransport(LocalTransport):
    """Runs scripts as a user with the environment of a site.

    Parameters
    ----------
    environment
        What a login at the site has.
    entrance
        Words before every program, for example to enter a namespace.
    """

    def __init__(
        self, name: str, environment: Mapping[str, str], entrance: Sequence[str] = (), *, user: str = JOB_USER
    ) -> None:
        super().__init__(name, Shell(login=False), 60.0)
        entry = pwd.getpwnam(user)
        identity = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
        known = {"PATH": _PATH, "HOME": entry.pw_dir, "USER": user, "LOGNAME": user, **environment}
        variables = [f"{key}={value}" for key, value in known.items()]
        self._before = [*entrance, "setpriv", *identity, "env", "-i", "-C", entry.pw_dir, *variables]

    def _start(self, argv: Sequence[str]) -> "subprocess.Popen[bytes]":
        return super()._start([*self._before, *argv])
