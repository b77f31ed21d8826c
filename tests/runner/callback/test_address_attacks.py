"""No spelling, name, record or redirect leads to an address that is forbidden: its server never gets a connection.

The public internet is played by 127.0.0.2, which the allow-list names.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from services.runner.callback import connection
from services.runner.callback.task import CallbackReport
from tests.runner.callback.conftest import Senders, task_for
from tests.runner.callback.target import Target, answer, hang_up, redirect

PUBLIC = "127.0.0.2"

Records = Callable[[str], list[str]]


@pytest_asyncio.fixture
async def guarded(stack: AsyncExitStack) -> Target:
    """All of this machine's addresses but PUBLIC, on one port."""
    return await stack.enter_async_context(Target(("127.0.0.1", "127.0.0.3", "::1")))


@pytest_asyncio.fixture
async def public(stack: AsyncExitStack) -> Target:
    return await stack.enter_async_context(Target((PUBLIC,)))


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Callable[[Records], None]:
    """Makes the resolver answer what a function gives for a name; literals are left to the system."""

    def answer_by(addresses_of: Records) -> None:
        loop = asyncio.get_running_loop()
        real = loop.getaddrinfo

        async def answered(host: str, port: int, **options: Any) -> Any:
            if not host.rstrip(".").endswith(".example"):
                return await real(host, port, **options)
            return [
                (socket.AF_INET6, kind, 6, "", (address, port, 0, 0))
                if ":" in address
                else (socket.AF_INET, kind, 6, "", (address, port))
                for address in addresses_of(host)
                for kind in (socket.SOCK_STREAM,)
            ]

        monkeypatch.setattr(loop, "getaddrinfo", answered)

    return answer_by


def assert_forbidden(report: CallbackReport) -> None:
    assert (report.forbidden, report.outcome.code) == (True, "callback_rejected")
    assert report.outcome.message.startswith("Not sent: ")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.0.0.3",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0x0.0x0.0x1",
        "0177.0.0.1",
        "0177.1",
        "127.1",
        "127.0.1",
        "0",
        "0.0.0.0",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "%31%32%37.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "a.b.localhost",
        "good@127.0.0.1",
        "good.example:80@127.0.0.1",
        "good.example%40@127.0.0.1",
        "169.254.169.254",
        "2852039166",
        "[fd00:ec2::254]",
        "[fe80::1%25lo]",
        "100.100.100.200",
        "10.0.0.1",
        "255.255.255.255",
    ],
)
async def test_no_spelling_of_a_forbidden_address_gets_through(host: str, guarded: Target, senders: Senders) -> None:
    sender = await senders(PUBLIC)
    report = await sender.send(task_for(f"http://{host}:{guarded.port}/"))
    assert guarded.connections == 0
    assert_forbidden(report)
    assert report.response is None


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.2/",
        "file:///etc/passwd",
        "//127.0.0.2/",
        "http:///x",
        "http://",
        "",
        "http://[::1",
        "http://[bad@x",
        "http://127.0.0.2:99999/",
    ],
)
async def test_what_is_no_http_url_is_not_sent(url: str, senders: Senders) -> None:
    assert_forbidden(await (await senders(PUBLIC)).send(task_for(url)))


async def test_backslashes_and_userinfo_do_not_hide_the_host(guarded: Target, public: Target, senders: Senders) -> None:
    sender = await senders(PUBLIC)
    for url in (
        f"http://127.0.0.1:{guarded.port}\\@127.0.0.2:{public.port}/",
        f"http://127.0.0.2:{public.port}@127.0.0.1:{guarded.port}/",
        f"http://127.0.0.1:{guarded.port}#@127.0.0.2:{public.port}/",
        f"http://127.0.0.1:{guarded.port}?@127.0.0.2:{public.port}/",
    ):
        await sender.send(task_for(url))
    assert guarded.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://127.1:{port}/",
        "http://2130706433:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://127.0.0.2@127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
async def test_no_redirect_leads_there(
    location: str, status: int, guarded: Target, public: Target, senders: Senders
) -> None:
    public.answers = [redirect("/again"), redirect(location.format(port=guarded.port), status)]
    report = await (await senders(PUBLIC)).send(task_for(public.url))
    assert guarded.connections == 0
    assert_forbidden(report)
    assert "redirected to" in report.outcome.message
    assert report.response is not None and report.response["status"] == status
    assert len(report.response["redirects"]) == 2


async def test_a_rebound_name_is_judged_again(
    guarded: Target,
    public: Target,
    senders: Senders,
    records: Callable[[Records], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "DNS_CACHE_SECONDS", 0)
    answers = iter([[PUBLIC], ["127.0.0.1"], ["::1"]])
    records(lambda _: next(answers))
    public.answers = [answer(200, b"ok", "Connection: close")]
    sender = await senders(PUBLIC)
    task = task_for(f"http://rebound.example:{public.port}/")
    assert (await sender.send(task)).outcome.code == "success"
    assert_forbidden(await sender.send(task))
    assert_forbidden(await sender.send(task))
    assert (public.connections, guarded.connections) == (1, 0)


async def test_a_name_rebound_between_a_redirect_and_its_target_is_judged_again(
    guarded: Target,
    public: Target,
    senders: Senders,
    records: Callable[[Records], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "DNS_CACHE_SECONDS", 0)
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    records(lambda _: next(answers))
    public.answers = [answer(307, b"", "Connection: close", f"Location: http://rebound.example:{guarded.port}/")]
    report = await (await senders(PUBLIC)).send(task_for(f"http://rebound.example:{public.port}/"))
    assert guarded.connections == 0
    assert_forbidden(report)


@pytest.mark.parametrize("order", [[PUBLIC, "127.0.0.1", "::1"], ["127.0.0.1", "::1", PUBLIC]])
async def test_of_several_records_only_the_permitted_are_tried(
    order: list[str], guarded: Target, stack: AsyncExitStack, senders: Senders, records: Callable[[Records], None]
) -> None:
    public = await stack.enter_async_context(Target((PUBLIC,), port=guarded.port))
    records(lambda _: order)
    sender = await senders(PUBLIC)
    report = await sender.send(task_for(f"http://several.example:{public.port}/"))
    assert report.outcome.code == "success"
    assert report.response is not None and report.response["address"] == PUBLIC
    public.answers = [hang_up]
    await sender.send(task_for(f"http://several.example:{public.port}/"))
    assert guarded.connections == 0


async def test_the_trouble_of_a_permitted_record_counts_more_than_a_forbidden_one(
    guarded: Target, senders: Senders, records: Callable[[Records], None]
) -> None:
    records(lambda _: [PUBLIC, "127.0.0.1"])
    report = await (await senders(PUBLIC)).send(task_for(f"http://several.example:{guarded.port}/"))
    assert (report.outcome.code, report.forbidden, guarded.connections) == ("connection_refused", False, 0)


async def test_an_allowed_name_opens_its_address_to_no_other_name(
    guarded: Target, senders: Senders, records: Callable[[Records], None]
) -> None:
    records(lambda _: ["127.0.0.1"])
    sender = await senders(f"good.example:{guarded.port}")
    good = await sender.send(task_for(f"http://GOOD.example.:{guarded.port}/"))
    assert (good.outcome.code, guarded.connections) == ("success", 1)
    for host in ("evil.example", "127.0.0.1"):
        assert_forbidden(await sender.send(task_for(f"http://{host}:{guarded.port}/")))
    guarded.answers = [redirect(f"http://evil.example:{guarded.port}/")]
    assert_forbidden(await sender.send(task_for(f"http://good.example:{guarded.port}/")))
    assert guarded.connections == 2


async def test_sendings_at_the_same_time_do_not_borrow_each_others_permission(
    guarded: Target, senders: Senders, records: Callable[[Records], None]
) -> None:
    records(lambda _: ["127.0.0.1", "::1"])
    sender = await senders(f"good.example:{guarded.port}")
    hosts = ["good.example", "evil.example", "127.0.0.1"] * 20
    reports = await asyncio.gather(*(sender.send(task_for(f"http://{host}:{guarded.port}/")) for host in hosts))
    assert [report.forbidden for report in reports] == [host != "good.example" for host in hosts]
    assert len(guarded.received) == 20


async def test_another_port_of_an_allowed_address_stays_closed(
    guarded: Target, public: Target, senders: Senders
) -> None:
    sender = await senders(f"{PUBLIC}:{public.port}", f"127.0.0.1:{public.port}")
    assert (await sender.send(task_for(public.url))).outcome.code == "success"
    assert_forbidden(await sender.send(task_for(guarded.url)))
    assert guarded.connections == 0
