"""What a person asks of an allocation: a small file in its folder, which its pilots read."""

from enum import Enum
from pathlib import Path

#: Its first line is the wish, its second one whose it is.
WISH_FILE = "towline_wish"


class Wish(str, Enum):
    """How an allocation is to end."""

    #: What runs may end; nothing else begins.
    DRAIN = "drain"
    #: At once; what runs is handed back.
    CANCEL = "cancel"


def read_wish(run_dir: str) -> tuple[Wish, str] | None:
    """The wish, and the sentence that says why something ends because of it; None when nobody asked for anything."""
    try:
        word, _, who = Path(run_dir, WISH_FILE).read_text(encoding="utf-8", errors="replace").partition("\n")
        wish = Wish(word.strip())
    except (OSError, ValueError):
        return None
    done = "drained" if wish is Wish.DRAIN else "cancelled"
    return wish, f"its allocation was {done} by {who.strip() or 'somebody'} (tow batch {wish.value})"
