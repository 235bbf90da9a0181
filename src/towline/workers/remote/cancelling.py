"""Making sure that attempts end: those that have not started never will."""

import shlex
from collections.abc import Sequence

from towline.core.run_folder import STARTED_FILE
from towline.workers.remote.job_scripts import STOP_FILE, filled

_CLAIM = """towline_claim() ( # folder
  mkdir -p -- "$1" && cd -- "$1" || exit
  (set -C; printf '{"pid":null,"process_started_at":null,"at":%s,"host":"%s"}' "$(date +%s)" "$(uname -n)" \\
    >@STARTED@) 2>/dev/null
  [ -e @STOP@ ] || printf 'cancelled\\nit was cancelled while it ran\\n' >@STOP@
)
"""


def claims_script(run_dirs: Sequence[str]) -> str:
    """The script that claims attempts for nobody, where no process has, and says in the others that they are to end."""
    functions = filled(_CLAIM, STARTED=STARTED_FILE, STOP=STOP_FILE)
    return functions + "".join(f"towline_claim {shlex.quote(path)}\n" for path in run_dirs)
