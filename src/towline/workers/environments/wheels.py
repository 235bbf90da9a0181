"""Wheels made from what is installed here: a worker gets exactly these files, and no index is needed."""

import base64
import csv
import hashlib
import io
import itertools
import zipfile
from collections.abc import Collection
from pathlib import Path

from packaging.tags import sys_tags

from towline.workers.environments.packages import SCRIPTS, Package, contents_of, wheel_name

#: The oldest time that archives can have.
_TIME = (1980, 1, 1, 0, 0, 0)
#: Compiled code shrinks to a third with the fastest level already.
_LEVEL = 1


def tags_of(package: Package) -> tuple[str, ...]:
    """Where a package runs."""
    if package.tags:
        return package.tags
    return (str(next(iter(sys_tags()))),) if package.is_compiled else ("py3-none-any",)


def runs_on(package: Package, tags: Collection[str]) -> bool:
    """Whether a package of this machine runs on one with these tags."""
    return any(tag in tags for written in tags_of(package) for tag in _single(written))


def _single(written: str) -> list[str]:
    """A tag that stands for several ones, such as ``py2.py3-none-any``, one by one."""
    return ["-".join(parts) for parts in itertools.product(*(part.split(".") for part in written.split("-")))]


def file_name(package: Package) -> str:
    """The name of the wheel of a package."""
    columns = zip(*(tag.split("-") for tag in tags_of(package)), strict=True)
    tag = "-".join(".".join(dict.fromkeys(column)) for column in columns)
    return f"{wheel_name(package.name)}-{package.version.replace('-', '_')}-{tag}.whl"


def write_wheel(package: Package, folder: Path) -> Path:
    """Write the wheel of a package into a folder; return its path."""
    path = folder / file_name(package)
    facts = f"{wheel_name(package.name)}-{package.version.replace('-', '_')}.dist-info"
    lines = [
        "Wheel-Version: 1.0",
        "Generator: towline",
        f"Root-Is-Purelib: {'false' if package.is_compiled else 'true'}",
        *(f"Tag: {tag}" for tag in tags_of(package)),
        "",
    ]
    found = contents_of(package.distribution)
    facts_there = {**found.facts, "WHEEL": "\n".join(lines).encode()}
    rows = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, file in found.files.items():
            executable = bool(file.stat().st_mode & 0o100)
            rows.append(_put(archive, name, _content(name, file), executable=executable))
        for name, content in facts_there.items():
            rows.append(_put(archive, f"{facts}/{name}", content))
        rows.append((f"{facts}/RECORD", "", ""))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        _put(archive, f"{facts}/RECORD", text.getvalue().encode())
    return path


def _content(name: str, file: Path) -> bytes:
    content = file.read_bytes()
    line, end, rest = content.partition(b"\n")
    if SCRIPTS in name and line.startswith(b"#!") and b"python" in line:
        # Whoever installs it puts the interpreter there.
        return b"#!python" + end + rest
    return content


def _put(archive: zipfile.ZipFile, name: str, content: bytes, *, executable: bool = False) -> tuple[str, str, str]:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (0o100755 if executable else 0o100644) << 16
    archive.writestr(entry, content, compresslevel=_LEVEL)
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return name, f"sha256={digest}", str(len(content))
