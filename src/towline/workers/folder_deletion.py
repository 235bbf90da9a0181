"""Deleting run folders on a worker, any number in one round trip."""

import shlex
from collections.abc import Sequence

from towline.core.run_folder import OWN_FILES
from towline.errors import TransferFailed
from towline.workers.transports.transport import Transport

#: Deletes a folder if it is none of somebody else: no link, and with a file of towline in it. Says the numbers of those
#: that went.
_SCRIPT = """\
drop() {{
[ -d "$2" ] && ! [ -L "$2" ] || return 0
for own in {own}; do
if [ -e "$2/$own" ]; then rm -rf -- "$2" 2>/dev/null; [ -e "$2" ] || echo "$1"; return 0; fi
done
}}
{calls}
:"""


def delete_folders(transport: Transport, folders: Sequence[str]) -> list[str]:
    """Delete those of the run folders that are there; return those that went.

    Raises
    ------
    TransferFailed
        The worker did not do it.
    """
    if not folders:
        return []
    calls = "\n".join(f"drop {number} {shlex.quote(folder)}" for number, folder in enumerate(folders))
    done = transport.run(_SCRIPT.format(own=shlex.join(sorted(OWN_FILES)), calls=calls))
    if done.exit_code:
        raise TransferFailed(f"{transport.name}: run folders cannot be deleted: {done.last_words}")
    return [folders[int(number)] for number in done.stdout.split()]
