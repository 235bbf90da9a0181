"""What the jobs of this process run with, found out once: the interpreter, and versions of all that is installed."""

import functools
import hashlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import suppress

import orjson

#: ``jobflow-0.4.0.dist-info``, ``jobflow-0.4.0-py3.11.egg-info``
_INSTALLED = re.compile(r"(?P<name>[A-Za-z0-9_.+]+?)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist|egg)-info\Z")


@functools.cache
def environment_record() -> tuple[str, bytes]:
    """The document about this process as JSON, and its hash, which is the same for all processes like it."""
    document = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "system": platform.system(),
        "machine": platform.machine(),
        "packages": dict(sorted(_installed())),
    }
    modules = os.environ.get("LOADEDMODULES")
    if modules:
        document["modules"] = modules.split(":")
    content = orjson.dumps(document)
    return hashlib.sha256(content).hexdigest()[:16], content


def _installed() -> Iterator[tuple[str, str]]:
    """Names and versions by the names of folders: to read what stands in them takes many times as long."""
    seen: set[str] = set()
    for folder in sys.path:
        names: list[str] = []
        with suppress(OSError):
            names = os.listdir(folder or ".")  # noqa: PTH208 - each cold job does this
        for found in filter(None, map(_INSTALLED.match, names)):
            name = re.sub(r"[-_.]+", "-", found["name"]).lower()
            if name not in seen:
                # The first one on the path is the one that is imported.
                seen.add(name)
                yield name, found["version"]
