"""A target of callbacks on a real socket, which says every byte itself and counts who came."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"ok", *lines: str) -> Answer:
    """A whole answer; `lines` are further header lines."""
    head = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *lines, "", ""]

    async def written(received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(head).encode() + (b"" if received.method == "HEAD" else body))

    return written


def redirect(location: str, status: int = 302) -> Answer:
    return answer(status, b"", f"Location: {location}")


async def nothing(_: Received, writer: asyncio.StreamWriter) -> None:
    """Keeps the connection open, and never answers."""


async def hang_up(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()


@dataclass
class Target:
    """Listens on `hosts` and one port. `answers` are given in turn, the last one for ever."""

    hosts: tuple[str, ...] = ("127.0.0.1",)
    answers: list[Answer] = field(default_factory=lambda: [answer()])
    tls: ssl.SSLContext | None = None
    connections: int = 0
    received: list[Received] = field(default_factory=list)
    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.hosts[0]}:{self.port}/"

    async def __aenter__(self) -> Self:
        sockets = []
        for host in self.hosts:
            listening = socket.create_server(
                (host, self.port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
            )
            self.port = listening.getsockname()[1]
            sockets.append(listening)
        self._servers = [await asyncio.start_server(self._serve, sock=sock, ssl=self.tls) for sock in sockets]
        self._writers: set[asyncio.StreamWriter] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                received = await _read(reader)
                self.received.append(received)
                self.arrived.set()
                say = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await say(received, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.left.set()
            self._writers.discard(writer)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = first.split(" ")
    return Received(method, path, headers, body)
