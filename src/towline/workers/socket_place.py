"""Where the socket of a pilot is: the system allows about 100 bytes for its path, and nobody else may use it."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from towline.errors import WorkerError


def socket_path(state_dir: Path) -> Path:
    """Path of the socket for a state folder; its folder belongs to this user alone.

    Raises
    ------
    WorkerError
        Somebody else made the folder.
    """
    name = hashlib.sha256(os.fsencode(state_dir.resolve())).hexdigest()[:16]
    return private_folder() / f"{name}.sock"


def private_folder() -> Path:
    """A folder with a short path that belongs to this user alone.

    The folder for temporary files is taken and not ``$XDG_RUNTIME_DIR``: that one is removed when the user logs out,
    and jobs run on.

    Raises
    ------
    WorkerError
        Somebody else made the folder.
    """
    folder = Path(tempfile.gettempdir(), f"towline-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise WorkerError(
            f"{folder} belongs to somebody else; ask them to remove it, or set TMPDIR to a folder of your own"
        )
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder
