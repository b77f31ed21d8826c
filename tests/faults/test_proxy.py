"""The proxy breaks connections as it says, and only then."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.proxy import LOOPBACK, Direction, Proxy
from tests.patience import PATIENCE_SECONDS

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Target:
    """A server that keeps what it was sent, and whose answers the test writes."""

    def __init__(self) -> None:
        self.ends: asyncio.Queue[Ends] = asyncio.Queue()
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.ends.put((reader, writer))


@pytest_asyncio.fixture
async def target() -> AsyncIterator[Target]:
    made = Target()
    server = await asyncio.start_server(made.accept, LOOPBACK, 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


@pytest_asyncio.fixture
async def proxy(target: Target) -> AsyncIterator[Proxy]:
    async with Proxy(LOOPBACK, target.port) as made:
        yield made


async def connected(proxy: Proxy, target: Target) -> tuple[Ends, Ends]:
    client = await asyncio.open_connection(LOOPBACK, proxy.port)
    return client, await target.ends.get()


async def sent(ends: Ends, data: bytes) -> None:
    ends[1].write(data)
    await ends[1].drain()


async def test_all_passes_both_ways_and_so_does_the_end(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    large = bytes(range(256)) * 4096
    await asyncio.gather(sent(client, large), sent(server, large[::-1]), server[0].readexactly(len(large)))
    assert await client[0].readexactly(len(large)) == large[::-1]
    client[1].write_eof()
    assert await server[0].read() == b""
    # One end has finished, the other may still answer.
    await sent(server, b"late")
    server[1].close()
    assert await client[0].read() == b"late"


async def test_a_reset_reaches_both_ends_and_new_connections_pass(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    proxy.reset()
    for ends in (client, server):
        with pytest.raises(ConnectionResetError):
            await ends[0].read()
    assert proxy.open_connections == 0
    client, server = await connected(proxy, target)
    await sent(client, b"again")
    assert await server[0].readexactly(5) == b"again"


async def test_a_reset_of_one_end_is_passed_on(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    other = Proxy(LOOPBACK, proxy.port)
    async with other:
        through = await asyncio.open_connection(LOOPBACK, other.port)
        far = await target.ends.get()
        other.reset()
        with pytest.raises(ConnectionResetError):
            await far[0].read()
        through[1].close()
    await sent(client, b"untouched")
    assert await server[0].readexactly(9) == b"untouched"


@pytest.mark.parametrize(("direction", "other"), [("up", "down"), ("down", "up")])
async def test_a_black_hole_swallows_one_direction(
    proxy: Proxy, target: Target, direction: Direction, other: Direction
) -> None:
    ends = dict(zip(("up", "down"), await connected(proxy, target), strict=True))
    proxy.swallow(direction)
    await sent(ends[direction], b"lost")
    await sent(ends[other], b"seen")
    assert await ends[direction][0].readexactly(4) == b"seen"
    await swallowed(proxy)
    await proxy.pass_all()
    await sent(ends[direction], b"after")
    assert await ends[other][0].readexactly(5) == b"after"
    assert proxy.open_connections == 1


async def swallowed(proxy: Proxy) -> None:
    """Until the four bytes that are sent in these tests are gone."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while proxy.swallowed < 4:
            await asyncio.sleep(0)


async def test_both_directions_can_be_swallowed(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    proxy.swallow()
    await asyncio.gather(sent(client, b"ab"), sent(server, b"cd"))
    await swallowed(proxy)
    assert proxy.open_connections == 1


async def test_refused_connections_leave_the_open_ones_alone(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    port = proxy.port
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, port)
    await sent(client, b"still")
    assert await server[0].readexactly(5) == b"still"
    await proxy.pass_all()
    assert proxy.port == port
    await connected(proxy, target)


async def test_it_is_cut_after_so_many_bytes(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    proxy.cut_after_bytes(10, "up")
    await sent(client, b"0123456")
    assert await server[0].readexactly(7) == b"0123456"
    await sent(client, b"789abc")
    await proxy.has_cut.wait()
    with pytest.raises(ConnectionResetError):
        await client[0].read()
    assert await received_before_reset(server) in {b"789", b""}
    # Once only.
    client, server = await connected(proxy, target)
    await sent(client, b"x" * 100)
    assert await server[0].readexactly(100) == b"x" * 100


async def received_before_reset(ends: Ends) -> bytes:
    """A reset may overtake what was sent before it: the receiver's kernel may drop what nobody has read yet."""
    try:
        return await ends[0].readexactly(3)
    except (ConnectionResetError, asyncio.IncompleteReadError):
        return b""


async def test_it_is_cut_after_a_pattern_that_comes_in_two_pieces(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    proxy.cut_after(b"COMMIT", "up")
    await sent(client, b"BEGIN; COM")
    assert await server[0].readexactly(10) == b"BEGIN; COM"
    await sent(client, b"MIT;")
    await proxy.has_cut.wait()
    with pytest.raises(ConnectionResetError):
        await client[0].read()


async def test_the_other_direction_does_not_cut(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    proxy.cut_after(b"COMMIT", "up")
    await sent(server, b"COMMIT")
    assert await client[0].readexactly(6) == b"COMMIT"
    await sent(client, b"x")
    assert await server[0].readexactly(1) == b"x"
    assert not proxy.has_cut.is_set()


async def test_what_is_delayed_arrives_whole_and_in_order(proxy: Proxy, target: Target) -> None:
    client, server = await connected(proxy, target)
    proxy.delay(0.05, "up")
    loop = asyncio.get_running_loop()
    before = loop.time()
    await sent(client, b"first")
    assert await server[0].readexactly(5) == b"first"
    assert loop.time() - before >= 0.049, "a timer never ends early"
    await sent(client, b"second")
    assert await server[0].readexactly(6) == b"second"


async def test_a_target_that_is_down_looks_like_a_reset(unused_target_port: int) -> None:
    async with Proxy(LOOPBACK, unused_target_port) as proxy:
        reader, _ = await asyncio.open_connection(LOOPBACK, proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read()


@pytest_asyncio.fixture
async def unused_target_port() -> int:
    server = await asyncio.start_server(lambda *_: None, LOOPBACK, 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql+asyncpg://me:p%40ss@db.example:5432/parakeet?ssl=off", "me:p%40ss@127.0.0.1:7/parakeet?ssl=off"),
        ("amqp://guest:guest@[::1]:5672/%2Fvhost", "guest:guest@127.0.0.1:7/%2Fvhost"),
        ("redis://localhost", "127.0.0.1:7"),
    ],
)
def test_a_url_leads_through_the_proxy(url: str, expected: str) -> None:
    proxy = Proxy("localhost", 1)
    proxy.port = 7
    assert proxy.in_front_of(url) == f"{url.partition('://')[0]}://{expected}"
