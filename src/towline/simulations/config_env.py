"""``config.env``: where simulations run and who may be asked, as lines ``KEY=value``.

Keys come from the file, from the file of a profile (``config.<profile>.env`` beside it), from the environment and from
the command line; the later ones win. Quotes, spaces, comments and ``export`` are understood as a shell understands
them; nothing is ever executed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from towline.errors import ConfigurationError
from towline.simulations.moose.problems import suggestion

FILE = "config.env"


@dataclass(frozen=True)
class Key:
    """A key, what it means, and its value when nobody gives one."""

    name: str
    help: str
    default: str = ""
    #: Needed by ``EXECUTION_BACKEND=hpc``.
    for_hpc: bool = False
    choices: tuple[str, ...] = ()

    @property
    def is_secret(self) -> bool:
        """Whether the value is never shown."""
        return self.name.endswith(("_KEY", "_TOKEN", "_PASSWORD", "_SECRET"))


KEYS: tuple[Key, ...] = (
    Key("EXECUTION_BACKEND", "where MOOSE runs", "local", choices=("local", "hpc")),
    Key("MOOSE_EXEC", "the executable of MOOSE on this machine; without it the embedded solver runs"),
    Key("RUNS_DIR", "folder of the run directories", "./runs"),
    Key("LLM_PROVIDER", "provider of the language model"),
    Key("LLM_MODEL", "name of the language model"),
    Key("LLM_BASE_URL", "address of the provider"),
    Key("LLM_API_KEY", "key of the provider; falls back to ANTHROPIC_API_KEY"),
    Key("LLM_MAX_TOKENS", "longest answer", "1500"),
    Key("LLM_MAX_COST", "dollars that questions of one day may cost together", "1"),
    Key("ANTHROPIC_API_KEY", "key of one provider"),
    Key("BACKEND_URL", "not needed: there is no second service"),
    Key("AUTOMOOSE_URL", "not needed: there is no second service"),
    Key("ORCH_POLL_S", "not needed: the queue tells of changes"),
    Key("ORCH_TIMEOUT_S", "longest run, in seconds"),
    Key("API_HOST", "address of the web interface"),
    Key("API_PORT", "port of the web interface"),
    Key("MCP_HOST", "address of the MCP server"),
    Key("MCP_PORT", "port of the MCP server"),
    Key("HPC_HOST", "login host of the cluster"),
    Key("HPC_USER", "account name there"),
    Key("HPC_SSH_ALIAS", "Host entry of the ssh configuration; without it HPC_USER@HPC_HOST"),
    Key("HPC_SCRATCH", "remote folder of the run directories", for_hpc=True),
    Key("HPC_MOOSE_APP", "remote executable", for_hpc=True),
    Key("HPC_ACCOUNT", "account of the scheduler (-A)"),
    Key("HPC_CONSTRAINT", "kind of nodes (-C)"),
    Key("HPC_QOS", "quality of service (-q)"),
    Key("HPC_NODES", "nodes (-N)", "1"),
    Key("HPC_NTASKS", "ranks (-n)", "1"),
    Key("HPC_WALLTIME", "longest run (-t)", "12:00:00"),
    Key("HPC_PYTHON_SETUP", "shell line that makes Python available in the job"),
)

_BY_NAME = {key.name: key for key in KEYS}
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)
_PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}")
_WALLTIME = re.compile(r"(?:(\d+)-)?(\d{1,3})(?::(\d{1,2}))?(?::(\d{1,2}))?")
_ESCAPED = re.compile(r"\\([\"\\$`])")


@dataclass(frozen=True, repr=False)
class ConfigEnv:
    """The values in force, and where they came from."""

    values: Mapping[str, str]
    #: Where each value came from: a path, ``environment`` or ``command line``; defaults are missing.
    origins: Mapping[str, str] = field(default_factory=dict)
    #: What looks like a mistake, but may be for another program.
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={self.shown(name)}" for name in sorted(self.values))
        return f"ConfigEnv({shown})"

    def get(self, name: str) -> str:
        """The value of a key; its default, or nothing, where nobody gave one."""
        given = self.values.get(name, "")
        return given or (_BY_NAME[name].default if name in _BY_NAME else "")

    def shown(self, name: str) -> str:
        """The value for the eyes of people: secrets are replaced."""
        key = _BY_NAME.get(name, Key(name, ""))
        return "***" if key.is_secret and self.get(name) else self.get(name)

    def origin(self, name: str) -> str:
        """Where the value came from."""
        return self.origins.get(name, "default")

    @property
    def backend(self) -> str:
        """``local`` or ``hpc``."""
        return self.get("EXECUTION_BACKEND")

    def number(self, name: str) -> int:
        """The value of a key that is a positive whole number.

        Raises
        ------
        ConfigurationError
            It is none.
        """
        text = self.get(name)
        if not text.isdigit() or int(text) < 1:
            raise ConfigurationError(f"{name} is {text!r} ({self.origin(name)}); give a whole number of at least 1")
        return int(text)

    def walltime_seconds(self) -> int:
        """``HPC_WALLTIME`` in seconds; ``days-hours:minutes:seconds`` and its beginnings, as Slurm reads them.

        Raises
        ------
        ConfigurationError
            It is no time.
        """
        text = self.get("HPC_WALLTIME")
        match = _WALLTIME.fullmatch(text)
        seconds = 0
        if match is not None:
            days, first, second, third = (int(part) if part else None for part in match.groups())
            if days is not None:
                seconds = days * 86400 + (first or 0) * 3600 + (second or 0) * 60 + (third or 0)
            elif third is not None:
                seconds = (first or 0) * 3600 + (second or 0) * 60 + third
            else:
                # Slurm: minutes, or minutes:seconds.
                seconds = (first or 0) * 60 + (second or 0)
        if seconds <= 0:
            raise ConfigurationError(
                f"HPC_WALLTIME is {text!r} ({self.origin('HPC_WALLTIME')}); give hours:minutes:seconds"
            )
        return seconds

    def check(self) -> None:
        """Refuse values that cannot be, and a backend whose keys are missing.

        Raises
        ------
        ConfigurationError
            Names the keys.
        """
        for key in KEYS:
            value = self.get(key.name)
            if key.choices and value not in key.choices:
                raise ConfigurationError(
                    f"{key.name} is {value!r} ({self.origin(key.name)}); give {' or '.join(key.choices)}"
                    f"{suggestion(value, key.choices)}"
                )
        if self.backend == "hpc":
            missing = [key.name for key in KEYS if key.for_hpc and not self.get(key.name)]
            if not self.get("HPC_SSH_ALIAS") and not (self.get("HPC_HOST") and self.get("HPC_USER")):
                missing.insert(0, "HPC_SSH_ALIAS (or HPC_HOST and HPC_USER)")
            if missing:
                raise ConfigurationError(
                    f"EXECUTION_BACKEND=hpc ({self.origin('EXECUTION_BACKEND')}) needs {', '.join(missing)}; "
                    f"add them to {FILE}, or type EXECUTION_BACKEND=local to run on this machine"
                )
            self.number("HPC_NODES")
            self.number("HPC_NTASKS")
            self.walltime_seconds()


def load(
    path: Path | None = None,
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
) -> ConfigEnv:
    """The configuration of simulations.

    Parameters
    ----------
    path
        The file; ``config.env`` in the current folder, if it is there, when None.
    profile
        Name of a profile: ``config.<profile>.env`` beside the file is read after it.
    environment
        Variables; those that are keys go before the files.
    given
        From the command line; these go before everything.

    Raises
    ------
    ConfigurationError
        A named file is not there, or a line is no ``KEY=value``.
    """
    values: dict[str, str] = {}
    origins: dict[str, str] = {}
    warnings: list[str] = []
    for file in _files(path, profile):
        read = read_file(file)
        warnings += _unknown(read, file)
        values |= read
        origins |= dict.fromkeys(read, str(file))
    from_environment = {name: value for name, value in (environment or {}).items() if name in _BY_NAME and value}
    values |= from_environment
    origins |= dict.fromkeys(from_environment, "environment")
    if given:
        problems = _unknown(given, "the command line")
        if problems:
            raise ConfigurationError("\n".join(problems))
        values |= given
        origins |= dict.fromkeys(given, "command line")
    return ConfigEnv(values, origins, tuple(warnings))


def read_file(path: Path) -> dict[str, str]:
    """The keys and values of a file.

    Raises
    ------
    ConfigurationError
        It cannot be read, or a line is no ``KEY=value``; the line is named, its value is not shown.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise ConfigurationError(f"{path}, line {number} is not KEY=value; a comment begins with #")
        found[match[1]] = _value(match[2], f"{path}, line {number}")
    return found


def _files(path: Path | None, profile: str | None) -> list[Path]:
    named = path is not None
    main = path if path is not None else Path(FILE)
    found = []
    if main.is_file():
        found.append(main)
    elif named:
        raise ConfigurationError(f"there is no file {main}; name an existing one with --config")
    if profile is not None:
        if not _PROFILE.fullmatch(profile):
            raise ConfigurationError(f"{profile!r} is no name of a profile; letters, digits, _ and - can be")
        beside = main.with_name(f"config.{profile}.env")
        if not beside.is_file():
            known = sorted(one.name[7:-4] for one in main.parent.glob("config.*.env"))
            there = f"; there are {', '.join(known)}" if known else ""
            raise ConfigurationError(f"there is no file {beside} for the profile {profile!r}{there}")
        found.append(beside)
    return found


def _unknown(names: Iterable[str], where: object) -> list[str]:
    # A physics may name an executable of its own.
    unknown = [name for name in names if name not in _BY_NAME and not name.endswith("_EXEC")]
    return [f"{name} in {where} is no key of towline{suggestion(name, _BY_NAME)}" for name in unknown]


def _value(text: str, where: str) -> str:
    """A value as a shell reads it: quoted parts, escapes, and a comment after a space."""
    parts, rest = [], text
    while rest:
        first = rest[0]
        if first in "\"'":
            end = _closing(rest, first)
            if end < 0:
                raise ConfigurationError(f"{where}: the quote {first} is not closed")
            inside = rest[1:end]
            parts.append(inside if first == "'" else _ESCAPED.sub(r"\1", inside))
            rest = rest[end + 1 :]
        elif first.isspace():
            following = rest.lstrip()
            if not following or following.startswith("#"):
                break
            # Unquoted values with spaces are what people write: HPC_PYTHON_SETUP=module load python
            parts.append(rest[: len(rest) - len(following)])
            rest = following
        elif first == "\\" and len(rest) > 1:
            parts.append(rest[1])
            rest = rest[2:]
        elif first == "#" and not parts:
            break
        else:
            parts.append(first)
            rest = rest[1:]
    return "".join(parts)


def _closing(text: str, quote: str) -> int:
    index = 1
    while index < len(text):
        if text[index] == "\\" and quote == '"':
            index += 2
            continue
        if text[index] == quote:
            return index
        index += 1
    return -1
