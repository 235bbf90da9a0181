"""Messages on a stream: one line of JSON each, followed by attachments that nobody on the way has to decode.

A message with attachments names their lengths under ``sizes``. Sockets and the journals of the pool use the same form.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

#: A decoded message: its header, and its attachments.
Message = tuple[dict[str, Any], list[bytes]]


def encode(header: Mapping[str, Any], attachments: Sequence[bytes] = ()) -> bytes:
    """One message as bytes."""
    if not attachments:
        return orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)
    sizes = [len(attachment) for attachment in attachments]
    line = orjson.dumps({**header, "sizes": sizes}, option=orjson.OPT_APPEND_NEWLINE)
    return b"".join([line, *attachments])


class Decoder:
    """Puts messages together from the pieces in which a stream brings them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        #: How long the buffer has to be before it is worth another look; 0 while the length is not known.
        self._wanted = 0

    def feed(self, data: bytes) -> list[Message]:
        """Take the next piece of the stream; return the messages that are complete.

        Raises
        ------
        ValueError
            What came is no message.
        """
        return list(self.messages(data))

    def messages(self, data: bytes) -> Iterator[Message]:
        """As :meth:`feed`, one after another: those before something unreadable are not lost."""
        self._buffer += data
        if len(self._buffer) < self._wanted:
            return
        position = 0
        view = bytes(self._buffer)
        self._wanted = 0
        while (end := view.find(b"\n", position)) >= 0:
            header = orjson.loads(view[position:end])
            start = end + 1
            sizes = header.get("sizes", ())
            if len(view) < start + sum(sizes):
                # Large attachments come in many pieces; they are not looked at again before the last one is there.
                self._wanted = start + sum(sizes) - position
                break
            attachments = []
            for size in sizes:
                attachments.append(view[start : start + size])
                start += size
            position = start
            yield header, attachments
        del self._buffer[:position]
