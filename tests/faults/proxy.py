"""A TCP proxy that stands in front of a dependency and breaks its connections in the ways that networks do."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

LOOPBACK = "127.0.0.1"
CHUNK = 64 * 1024

# As seen by the client: `up` goes to the target, `down` comes from it.
Direction = Literal["up", "down"]
DIRECTIONS: tuple[Direction, Direction] = ("up", "down")


@dataclass(slots=True)
class _Way:
    """What happens to the bytes of one direction, on every connection."""

    delay_seconds: float = 0.0
    swallowed: bool = False
    bytes_left: int | None = None
    pattern: bytes = b""


@dataclass(eq=False, slots=True)
class _Link:
    client: asyncio.StreamWriter
    target: asyncio.StreamWriter
    pumps: list[asyncio.Task[None]] = field(default_factory=list)
    # The end of what was forwarded: a pattern may arrive in two pieces.
    tails: dict[Direction, bytes] = field(default_factory=dict)


class Proxy:
    """Passes all through until told otherwise. Every change holds for open and for new connections alike."""

    def __init__(self, target_host: str, target_port: int) -> None:
        self._target = (target_host, target_port)
        self._ways: dict[Direction, _Way] = {direction: _Way() for direction in DIRECTIONS}
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._refusing = False
        self.port = 0
        self.accepted = 0
        self.swallowed = 0
        # Set when a cut after a number of bytes, or after a pattern, has happened.
        self.has_cut = asyncio.Event()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        await self._close_server()
        pumps = [pump for link in self._links for pump in link.pumps]
        self.reset()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def open_connections(self) -> int:
        return len(self._links)

    def in_front_of(self, url: str) -> str:
        """The same URL, by way of the proxy."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}{LOOPBACK}:{self.port}"))

    async def pass_all(self) -> None:
        """Healthy again. What was swallowed stays lost; what was delayed still arrives late."""
        self._ways = {direction: _Way() for direction in DIRECTIONS}
        self.has_cut.clear()
        if self._refusing:
            self._refusing = False
            await self.start()

    def delay(self, seconds: float, direction: Direction | None = None) -> None:
        for way in self._chosen(direction):
            way.delay_seconds = seconds

    def swallow(self, direction: Direction | None = None) -> None:
        """A black hole: bytes are taken and go nowhere, and the connection stays open."""
        for way in self._chosen(direction):
            way.swallowed = True

    def reset(self) -> None:
        """RST to both ends of every open connection; new ones are welcome."""
        for link in list(self._links):
            self._cut(link)

    async def refuse(self) -> None:
        """Nobody listens any more; open connections live on."""
        self._refusing = True
        await self._close_server()

    def cut_after_bytes(self, count: int, direction: Direction) -> None:
        """RST once so many more bytes, of all connections together, have been forwarded. Once only."""
        self._ways[direction].bytes_left = count

    def cut_after(self, pattern: bytes, direction: Direction) -> None:
        """RST right after the bytes that hold the pattern were forwarded. Once only."""
        self._ways[direction].pattern = pattern

    def _chosen(self, direction: Direction | None) -> Iterator[_Way]:
        return (way for name, way in self._ways.items() if direction in {None, name})

    async def _close_server(self) -> None:
        if self._server is not None:
            # Not `wait_closed`: it would wait for the connections as well, which are to live on.
            self._server.close()
            self._server = None

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            answers, target = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(client)
            return
        link = _Link(client, target)
        self._links.add(link)
        link.pumps = [
            asyncio.create_task(self._pump(link, "up", reader, target)),
            asyncio.create_task(self._pump(link, "down", answers, client)),
        ]
        for pump in link.pumps:
            pump.add_done_callback(lambda _: self._forget_if_over(link))

    def _forget_if_over(self, link: _Link) -> None:
        if link in self._links and all(pump.done() for pump in link.pumps):
            self._links.discard(link)
            link.client.close()
            link.target.close()

    async def _pump(
        self, link: _Link, direction: Direction, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(CHUNK):
                if seconds := self._ways[direction].delay_seconds:
                    await asyncio.sleep(seconds)
                await self._forward(link, direction, data, sink)
            if not self._ways[direction].swallowed:
                sink.write_eof()
        except OSError:
            self._cut(link)  # one end was reset, so the other is to be as well

    async def _forward(self, link: _Link, direction: Direction, data: bytes, sink: asyncio.StreamWriter) -> None:
        # Looked up only now: it may have changed while the bytes were delayed.
        way = self._ways[direction]
        if way.swallowed:
            self.swallowed += len(data)
            return
        if way.bytes_left is not None:
            data = data[: way.bytes_left]
            way.bytes_left -= len(data)
        sink.write(data)
        await sink.drain()
        seen = link.tails.get(direction, b"") + data
        matched = bool(way.pattern) and way.pattern in seen
        link.tails[direction] = seen[1 - len(way.pattern) :] if len(way.pattern) > 1 else b""
        if matched or way.bytes_left == 0:
            way.pattern, way.bytes_left = b"", None
            await _written(sink)
            self.has_cut.set()
            self._cut(link)

    def _cut(self, link: _Link) -> None:
        self._links.discard(link)
        _reset(link.client)
        _reset(link.target)
        running = asyncio.current_task()
        for pump in link.pumps:
            if pump is not running:
                pump.cancel()


async def _written(sink: asyncio.StreamWriter) -> None:
    """Until the kernel has all of it: what a reset finds in the transport's own buffer would be lost."""
    sink.transport.set_write_buffer_limits(high=0)
    await sink.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.transport.is_closing():
        return
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
