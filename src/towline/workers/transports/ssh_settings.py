"""How a host is reached: what a worker says, on top of the user's own configuration of ssh."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from towline.errors import ConfigurationError

_HOST = re.compile(r"[A-Za-z0-9_.:\[\]][A-Za-z0-9_.:%\[\]-]*\Z")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+\\-]*\$?\Z")

_SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")

#: A dead connection is noticed after about this time: interval times count.
_KEEPALIVE_SECONDS = 15
_KEEPALIVE_COUNT = 3
_CONNECT_TIMEOUT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class SshSettings:
    """A host, named as in the user's own configuration of ssh, and what a worker says differently.

    Everything that is None is as in that configuration.

    Raises
    ------
    ConfigurationError
        A value means something else to ssh than a name, a number or a path.
    """

    #: An alias of the user's configuration, a host name or an address; ``user@host`` too.
    host: str
    user: str | None = None
    port: int | None = None
    #: Private keys, tried before those of the user's configuration.
    key_filename: tuple[str, ...] = ()
    #: The host to go through, or the command that reaches the host (a text with a space).
    gateway: "SshSettings | str | None" = None
    #: Between signs of life; three missing ones end the connection.
    keepalive_seconds: int | None = None
    connect_timeout_seconds: int | None = None
    forward_agent: bool | None = None
    #: In place of ``~/.ssh/config`` and the configuration of the system.
    config_file: Path | None = None

    def __post_init__(self) -> None:
        user, at, host = self.host.rpartition("@")
        if at and self.user is None:
            object.__setattr__(self, "user", user)
            object.__setattr__(self, "host", host)
        if not _HOST.match(self.host):
            raise ConfigurationError(f"host is {self.host!r}; give a name of ~/.ssh/config, a host name or an address")
        if self.user is not None and not _USER.match(self.user):
            raise ConfigurationError(f"user is {self.user!r}; give the name of an account on {self.host}")
        for path in self.key_filename:
            if re.search(r'["\0\n]', path):
                raise ConfigurationError(f"key_filename is {path!r}; rename the file, ssh cannot read such a name")
        if isinstance(self.gateway, str):
            _check_gateway(self.gateway)

    @property
    def jump(self) -> "SshSettings | None":
        """The host to go through, if it is one and no command."""
        if isinstance(self.gateway, str):
            return None if " " in self.gateway.strip() else SshSettings(self.gateway, config_file=self.config_file)
        return self.gateway

    @property
    def connect_seconds(self) -> int:
        """Limit for reaching the host, when the user's configuration does not say another one."""
        return self.connect_timeout_seconds or _CONNECT_TIMEOUT_SECONDS


def _check_gateway(gateway: str) -> None:
    if re.search(r"[\0\n]", gateway) or not gateway.strip() or gateway.startswith("-"):
        raise ConfigurationError(f"gateway is {gateway!r}; give a host, or a command that reaches the host")


def configuration_text(settings: SshSettings, *, batch: bool) -> str:
    """A configuration of ssh: what towline must have, what the worker says, what the user has, and then defaults.

    The first value that ssh finds for a key wins; so the defaults count only where the user has said nothing.

    Parameters
    ----------
    batch
        Whether ssh may not ask anybody for anything; also holds for the hosts that it goes through.
    """
    lines = [
        "Host *",
        f"  BatchMode {'yes' if batch else 'no'}",
        "  LogLevel ERROR",
        "  ControlMaster no",
        # The user's own tunnels, displays and commands belong to the user's own connections.
        "  ClearAllForwardings yes",
        "  ForwardX11 no",
        "  PermitLocalCommand no",
        "  RemoteCommand none",
        "  RequestTTY no",
    ]
    lines += _host_lines(settings)
    files = [settings.config_file] if settings.config_file else [Path("~/.ssh/config"), _SYSTEM_CONFIG]
    # An Include counts only for the hosts of the block that it stands in, and the gateways need it as well.
    lines += ["Host *", *(f'  Include "{file}"' for file in files)]
    lines += [
        "Host *",
        f"  ServerAliveInterval {_KEEPALIVE_SECONDS}",
        f"  ServerAliveCountMax {_KEEPALIVE_COUNT}",
        f"  ConnectTimeout {_CONNECT_TIMEOUT_SECONDS}",
    ]
    return "\n".join(lines) + "\n"


def _host_lines(settings: SshSettings) -> list[str]:
    said: list[tuple[str, object]] = [
        ("User", settings.user),
        ("Port", settings.port),
        ("ServerAliveInterval", settings.keepalive_seconds),
        ("ServerAliveCountMax", settings.keepalive_seconds and _KEEPALIVE_COUNT),
        ("ConnectTimeout", settings.connect_timeout_seconds),
        ("ForwardAgent", None if settings.forward_agent is None else ("no", "yes")[settings.forward_agent]),
    ]
    lines = [f"Host {settings.host}"]
    lines += [f"  {key} {value}" for key, value in said if value is not None]
    lines += [f'  IdentityFile "{path}"' for path in settings.key_filename]
    jump = settings.jump
    if jump is None:
        return [*lines, f"  ProxyCommand {settings.gateway}"] if settings.gateway else lines
    if jump.host == settings.host:
        raise ConfigurationError(f"the gateway of {settings.host} is {jump.host} itself; name another host")
    lines.append(f"  ProxyJump {jump.host}")
    return [*lines, *_host_lines(replace(jump, config_file=settings.config_file))]
