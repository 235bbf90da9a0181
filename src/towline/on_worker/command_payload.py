"""The payload of a command job: read, and its references to outputs of other jobs resolved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import orjson

from towline.core.documents import decode, encode
from towline.core.output_references import resolve
from towline.core.records import unpack_job
from towline.errors import InvalidRequest


class UnusableCommand(InvalidRequest):
    """The payload of a command cannot be carried out: a bad file name, a reference to something that is not there."""


class MissingOutput(UnusableCommand):
    """A reference leads to an output that is not there; this is a failure of the job, found when it starts."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command job."""

    header: Mapping[str, Any]
    payload: Mapping[str, Any]
    references: Mapping[str, tuple[int, bytes]]

    @property
    def has_outputs(self) -> bool:
        """Whether anything is to be read from files after the end."""
        return bool(self.payload.get("outputs") or self.payload.get("values"))


def parse(content: bytes) -> Command:
    """The command in the content of a job file.

    Raises
    ------
    UnusableCommand
        It is none.
    """
    try:
        header, payload, references = unpack_job(content)
        command = Command(header, orjson.loads(payload), references)
    except (ValueError, KeyError, IndexError) as error:
        raise UnusableCommand(f"the job file of the command cannot be read: {error}") from error
    if not isinstance(command.payload, dict) or ("argv" in command.payload) == ("shell" in command.payload):
        raise UnusableCommand("a command has either argv or shell")
    return command


def resolved(value: Any, command: Command, what: str) -> Any:
    """A value of the payload, with the references in it replaced by what they stand for.

    Raises
    ------
    MissingOutput
        A reference leads nowhere.
    """
    if isinstance(value, str):
        return value
    try:
        return resolve(value, _Outputs(command.references))
    except (LookupError, RecursionError) as error:
        raise MissingOutput(f"{what} refers to an output that is not there: {error}") from error


def text_of(value: Any) -> str:
    """A value as an argument or a variable has it."""
    return value if isinstance(value, str) else encode(value).decode()


def inside(name: str) -> str:
    """A name of a file, or a pattern, that does not lead out of the run folder.

    Raises
    ------
    UnusableCommand
        It does.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise UnusableCommand(f"{name!r} leads out of the folder of the job; give a relative path without '..'")
    return name


class _Outputs(Mapping[str, Any]):
    """Outputs of other jobs, decoded when they are asked for, with the references in them resolved."""

    def __init__(self, references: Mapping[str, tuple[int, bytes]]) -> None:
        self._references = references

    def __getitem__(self, uuid: str) -> Any:
        return resolve(decode(self._references[uuid][1]), self)

    def __iter__(self) -> Iterator[str]:
        return iter(self._references)

    def __len__(self) -> int:
        return len(self._references)
