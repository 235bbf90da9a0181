"""The pilot's end of the connection to the runner.

Messages of the runner (see :mod:`towline.on_worker.framing`)
    ``hello`` first, then ``submit`` (a list; the packages of those with ``has_package`` are the attachments),
    ``adopt``, ``cancel``, ``acknowledge`` (a list of keys), ``slots`` (a number), ``end``.
Messages of the pilot
    ``pilot`` (facts, the answer to ``hello``), ``observations`` (the results of those with ``has_result`` are the
    attachments), ``replaced`` (another runner has connected).
"""

import logging
import os
import selectors
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from towline.on_worker.framing import Decoder, Message, encode

logger = logging.getLogger("towline.pilot")

_RECEIVE_BYTES = 1 << 20


class _Connection:
    """One connection; a write that does not fit is continued when there is room."""

    def __init__(self, end: socket.socket, selector: selectors.BaseSelector, port: "RunnerPort") -> None:
        self._socket = end
        self._selector = selector
        self._port = port
        self._decoder = Decoder()
        self._unsent = bytearray()
        self._writing = False
        end.setblocking(False)
        selector.register(end, selectors.EVENT_READ, self._ready)

    def send(self, data: bytes) -> None:
        """Send, now or when there is room."""
        self._unsent += data
        self._flush()

    def close(self) -> None:
        """Close the connection."""
        if self._socket.fileno() >= 0:
            self._selector.unregister(self._socket)
            self._socket.close()

    def close_here(self) -> None:
        """Close the descriptor in a forked child, where the selector is not ours."""
        self._socket.close()

    def _ready(self) -> None:
        if self._unsent:
            self._flush()
        try:
            data = self._socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._port.lost(self)
            return
        try:
            messages = self._decoder.feed(data)
        except ValueError as error:
            logger.error("the runner sent what is no message: %s", error)
            self._port.lost(self)
            return
        for message in messages:
            self._port.received(self, message)

    def _flush(self) -> None:
        if self._socket.fileno() < 0:
            return
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent[:_RECEIVE_BYTES])
                del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            # Gone; reading tells it too, in the loop, where it can be dealt with.
            self._unsent.clear()
        if bool(self._unsent) != self._writing:
            self._writing = bool(self._unsent)
            write = selectors.EVENT_WRITE if self._writing else 0
            self._selector.modify(self._socket, selectors.EVENT_READ | write, self._ready)


class RunnerPort:
    """Listens for the runner. The newest one wins, because the older one may hang.

    Parameters
    ----------
    received
        Called with each message of the runner, `hello` first.
    changed
        Called when there is a runner, or none any more.
    """

    def __init__(
        self,
        path: Path,
        selector: selectors.BaseSelector,
        received: Callable[[Message], None],
        changed: Callable[[], None],
    ) -> None:
        self.path = path
        self._selector = selector
        self._received = received
        self._changed = changed
        self._current: _Connection | None = None
        self._strangers: list[_Connection] = []
        self._listener = self._listen()

    @property
    def connected(self) -> bool:
        """Whether a runner is there."""
        return self._current is not None

    def send(self, header: Mapping[str, Any], attachments: Sequence[bytes] = ()) -> None:
        """Send a message to the runner, if there is one."""
        if self._current is not None:
            self._current.send(encode(header, attachments))

    def listen_again_if_gone(self) -> None:
        """Make the socket file again when somebody cleaned it away."""
        if not self.path.exists():
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = self._listen()

    def close_here(self) -> None:
        """Close the descriptors in a forked child."""
        self._listener.close()
        for connection in (self._current, *self._strangers):
            if connection is not None:
                connection.close_here()

    close = close_here

    def lost(self, connection: _Connection) -> None:
        """A connection was closed by the other side."""
        connection.close()
        if connection is self._current:
            self._current = None
            self._changed()
        elif connection in self._strangers:
            self._strangers.remove(connection)

    def received(self, connection: _Connection, message: Message) -> None:
        """A message has come."""
        if connection in self._strangers and "hello" in message[0]:
            self._strangers.remove(connection)
            if self._current is not None:
                logger.warning("another runner has connected; the older one is let go")
                self._current.send(encode({"replaced": True}))
                self._current.close()
            self._current = connection
            self._changed()
        if connection is self._current:
            self._received(message)

    def _listen(self) -> socket.socket:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whoever holds the gate of the state folder is the only pilot: a file that is there is a stale one.
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(os.fspath(self.path))
        listener.listen(16)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        return listener

    def _accept(self) -> None:
        try:
            end, _ = self._listener.accept()
        except OSError:
            return
        self._strangers.append(_Connection(end, self._selector, self))
