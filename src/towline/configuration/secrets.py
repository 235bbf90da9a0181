"""Passwords: kept out of project files by references, and out of everything that is shown by masks."""

import os
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from towline.errors import ConfigurationError

MASK = "******"

_REFERENCE = re.compile(r"\$\{(env|keyring):([^{}]*)\}")
_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE
)
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]+)(?=@)")


def masked(value: Any, key: str = "") -> Any:
    """`value` without what looks like a secret, in the types that JSON knows for mappings and lists.

    Parameters
    ----------
    value
        Any value of a project; mappings, lists and dataclasses are searched.
    key
        The key under which `value` stands; a key like `password` hides everything below it.
    """
    if isinstance(value, Mapping):
        return {name: masked(item, f"{key}.{name}") for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return value
    if isinstance(value, list | tuple):
        return type(value)(masked(item, key) for item in value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and _REFERENCE.fullmatch(value):
        return value
    if _SECRET_KEY.search(key) and value != "":
        return MASK
    return _PASSWORD_IN_URL.sub(rf"\1:{MASK}", value) if isinstance(value, str) else value


def has_reference(text: str) -> bool:
    """Whether `text` contains ``${env:NAME}`` or ``${keyring:service/user}``."""
    return _REFERENCE.search(text) is not None


def resolve(value: Any, where: str) -> Any:
    """`value` with every ``${env:NAME}`` and ``${keyring:service/user}`` in it replaced.

    Mappings and lists are searched; keys are left alone.

    Parameters
    ----------
    where
        What the value is, for errors: ``exec_config.vasp.export``.

    Raises
    ------
    ConfigurationError
        The variable is not set, the keyring has no such password, or keyring is not installed.
    """
    if isinstance(value, Mapping):
        return {key: resolve(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(resolve(item, f"{where}[{number}]") for number, item in enumerate(value))
    if isinstance(value, str) and "${" in value:
        return _REFERENCE.sub(lambda match: _secret(match.group(1), match.group(2), where), value)
    return value


def _secret(kind: str, name: str, where: str) -> str:
    if kind == "keyring":
        return _from_keyring(name, where)
    if name not in os.environ:
        raise ConfigurationError(
            f"{where} refers to the environment variable {name}, which is not set; type: export {name}=..."
        )
    return os.environ[name]


def _from_keyring(name: str, where: str) -> str:
    service, _, user = name.rpartition("/")
    if not service or not user:
        raise ConfigurationError(f"{where}: {name!r} should be service/user, as in ${{keyring:mongodb/anna}}")
    try:
        # An optional package that takes long to load.
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise ConfigurationError(
            f"{where} refers to the keyring, and the package keyring is missing; type: pip install 'towline[keyring]'"
        ) from error
    try:
        password = keyring.get_password(service, user)
    except KeyringError as error:
        raise ConfigurationError(f"{where}: the keyring could not be read: {error}") from error
    if password is None:
        raise ConfigurationError(
            f"{where}: the keyring has no password of {user} for {service}; type: keyring set {service} {user}"
        )
    return str(password)
