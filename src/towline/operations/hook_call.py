"""Calls the function of a hook: ``python -m towline.operations.hook_call MODULE:FUNCTION``, the event on its input.

The module is installed, or in the folder of the project.
"""

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Import the function, and call it with the event as a dictionary."""
    sys.path.insert(0, str(Path.cwd()))
    module, _, name = sys.argv[1].partition(":")
    getattr(importlib.import_module(module), name)(json.load(sys.stdin))


if __name__ == "__main__":
    main()
