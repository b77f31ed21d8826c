"""Connections that pass the address guard: each address is judged at the moment its socket is made.

What is judged is what is connected to, whether it came from a name, a rebound name, one of several records, a literal
or a redirect. A connection kept alive was judged when it was opened, and serves its own host and port only.
"""

import socket
from contextvars import ContextVar
from dataclasses import dataclass

from aiohappyeyeballs import AddrInfoType
from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from shared.domain.address_guard import AddressGuard, ForbiddenAddress

# Of addresses that were looked up; the guard judges them at each connection all the same.
DNS_CACHE_SECONDS = 10


@dataclass(slots=True)
class Progress:
    """How far the connection for the present request of one sending came."""

    host: str = ""
    connected: bool = False
    peer: str | None = None
    reused: bool = False
    permitted: bool = False
    forbidden: ForbiddenAddress | None = None


# Sockets are made in tasks of aiohttp's own, which inherit the context of the sending. So the guard knows for which
# host a socket is, and an allowed host name opens its addresses to that host only.
PROGRESS: ContextVar[Progress] = ContextVar("progress")


class AddressRefused(OSError):
    """The form of ForbiddenAddress that makes aiohttp go on to the next address."""


class GuardedConnector(TCPConnector):
    """Needs PROGRESS to be set, else no connection is made."""

    def __init__(self, guard: AddressGuard) -> None:
        super().__init__(limit=0, ttl_dns_cache=DNS_CACHE_SECONDS, socket_factory=self._guarded_socket)
        self._guard = guard

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:
        progress = PROGRESS.get()
        progress.host = req.url.raw_host or ""
        progress.connected = progress.permitted = False
        progress.reused = True
        progress.forbidden = progress.peer = None
        connection = await super().connect(req, traces, timeout)
        progress.connected = True
        peer = connection.transport.get_extra_info("peername") if connection.transport else None
        progress.peer = peer[0] if peer else None
        return connection

    def _guarded_socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        progress = PROGRESS.get()
        progress.reused = False
        try:
            self._guard.check(address[0], progress.host, address[1])
        except ForbiddenAddress as error:
            progress.forbidden = error
            raise AddressRefused(str(error)) from error
        progress.permitted = True
        return socket.socket(family, kind, protocol)
