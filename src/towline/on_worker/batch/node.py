"""One node of an allocation: a keeper in the foreground, and the pilot below it.

``python -m towline.on_worker.batch.node SETTINGS_FILE [NUMBER]`` on each node of an allocation with several.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from towline.on_worker.batch.settings import BatchSettings
from towline.on_worker.keeper import keep_here

#: A pilot that ends so often soon after its start will never work.
_MOST_QUICK_ENDS = 4


def keep_pilot(settings: BatchSettings) -> int:
    """Keep a pilot alive until it has nothing to do; 0 when it ended by itself."""
    state_dir = state_folder(settings.run_dir, settings.node)
    state_dir.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-P", "-m", "towline.on_worker.batch.pilot", orjson.dumps(settings.as_json()).decode()]
    return keep_here(str(state_dir), words, most_quick_ends=_MOST_QUICK_ENDS)


def state_folder(run_dir: str, node: int) -> Path:
    """Where the pilot of a node keeps its log and its books."""
    return Path(run_dir, f"node{node}")


def main(arguments: Sequence[str]) -> int:
    """Be the node of an allocation."""
    settings = BatchSettings.read(orjson.loads(Path(arguments[0]).read_bytes()))
    number = arguments[1] if len(arguments) > 1 else os.environ["SLURM_NODEID"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return keep_pilot(replace(settings, node=int(number)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
