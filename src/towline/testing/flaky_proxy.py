"""A TCP proxy on loopback that delays, falls silent, cuts and refuses, for tests of what goes over a network."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from enum import Enum

_CHUNK_BYTES = 1 << 16
_HOST = "127.0.0.1"


class Way(Enum):
    """Which bytes are counted."""

    THERE = "there"
    BACK = "back"


class FlakyProxy:
    """Passes connections on to a port of this machine, and misbehaves when it is told to.

    Parameters
    ----------
    target_port
        Where connections go.
    delay_seconds
        Added to each direction; a round trip takes twice as much more. Order and rate stay as they are.
    """

    def __init__(self, target_port: int, delay_seconds: float = 0.0) -> None:
        self.target_port = target_port
        self.delay_seconds = delay_seconds
        self.port = 0
        self._silent = False
        self._refusing = False
        self._passed = dict.fromkeys(Way, 0)
        #: Bytes that may still pass until a cut, and which ones.
        self._cut_at: tuple[int, frozenset[Way]] | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Listen at `port`."""
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._handle, _HOST, 0), self._loop
        ).result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """End everything."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """Reset every open connection."""
        self._loop.call_soon_threadsafe(self._reset_all)

    @property
    def passed_bytes(self) -> int:
        """Bytes that went through, both ways."""
        return self._count(Way)

    def cut_after(self, size: int, way: Way | None = None) -> None:
        """Reset every open connection when so many more bytes went through, both ways or one of them."""
        ways = frozenset(Way if way is None else (way,))
        self._cut_at = self._count(ways) + size, ways

    @property
    def cut_is_due(self) -> bool:
        """Whether a cut was asked for that has not come yet."""
        return self._cut_at is not None

    def _count(self, ways: Iterable[Way]) -> int:
        return sum(self._passed[way] for way in ways)

    def blackhole(self, silent: bool = True) -> None:
        """Pass nothing on any more, without a word, as a dropped VPN does; or go on."""
        self._silent = silent

    def refuse(self, refusing: bool = True) -> None:
        """Reset new connections; or take them again."""
        self._refusing = refusing

    async def _close(self) -> None:
        self._server.close()
        self._reset_all()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(_HOST, self.target_port)
        except OSError:
            _reset(writer)
            return
        pair = {writer, far_writer}
        for item in pair:
            item.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, far_writer, Way.THERE), self._pump(far_reader, writer, Way.BACK))
        except asyncio.CancelledError:
            pass  # the end of everything; a server says so loudly when its handlers do not return
        finally:
            self._writers -= pair
            for item in pair:
                item.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=4096)
        sender = asyncio.create_task(self._send(queue, writer, way))
        try:
            data = b"-"
            while data:
                data = await reader.read(_CHUNK_BYTES)
                await queue.put((self._loop.time() + self.delay_seconds, data))
            await sender
        except OSError:
            writer.transport.abort()
        finally:
            sender.cancel()

    async def _send(self, queue: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter, way: Way) -> None:
        while True:
            due_at, data = await queue.get()
            if (early := due_at - self._loop.time()) > 0:
                await asyncio.sleep(early)
            while self._silent:
                await asyncio.sleep(0.02)
            if writer.is_closing():
                return
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            with contextlib.suppress(OSError):
                writer.write(data)
                await writer.drain()
            self._passed[way] += len(data)
            if self._cut_at is not None and self._count(self._cut_at[1]) >= self._cut_at[0]:
                self._cut_at = None
                self._reset_all()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def flaky_proxy(target_port: int, delay_seconds: float = 0.0) -> Iterator[FlakyProxy]:
    """A proxy that has started, and ends afterwards."""
    proxy = FlakyProxy(target_port, delay_seconds)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
