"""What a callback looks like when it arrives, and what is made of the answers."""

import asyncio
import base64
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from services.runner.callback.response import retry_after_seconds
from services.runner.callback.send import CallbackSender
from shared.domain.callback import SuccessRule
from tests.runner.callback.conftest import Senders, task_for
from tests.runner.callback.target import Target, answer, hang_up, nothing, redirect

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


async def test_a_post_carries_compact_json(target: Target, sender: CallbackSender) -> None:
    report = await sender.send(task_for(target.url + "in%2F?x=%26", payload={"a": [1, "é"], "b": None}))
    assert (report.outcome.code, report.forbidden, report.traceback) == ("success", False, None)
    (got,) = target.received
    assert (got.method, got.path, got.body) == ("POST", "/in%2F?x=%26", '{"a":[1,"é"],"b":null}'.encode())
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"] == "Parakeet"
    assert "cookie" not in got.headers and "authorization" not in got.headers


async def test_what_is_kept_of_an_answer(target: Target, sender: CallbackSender) -> None:
    lines = ("Content-Type: text/plain; charset=latin-1", "Server: x", "Set-Cookie: a=b", "X-Other: y")
    target.answers = [answer(201, "né\0".encode("latin-1"), *lines)]
    report = await sender.send(task_for(target.url))
    assert report.response == {
        "status": 201,
        "reason": "Said",
        "headers": {"content-type": "text/plain; charset=latin-1", "content-length": "3", "server": "x"},
        "body": "né",
        "truncated": False,
        "bytes": 3,
        "url": target.url,
        "redirects": [],
        "address": "127.0.0.1",
    }
    assert report.duration_seconds > 0 and report.started_at.tzinfo is UTC


async def test_the_users_headers_win_but_for_the_framing(target: Target, sender: CallbackSender) -> None:
    headers = {
        "Content-Type": "application/x",
        "USER-AGENT": "Me",
        "Content-Length": "1",
        "Transfer-Encoding": "chunked",
    }
    headers |= {"X-Key": "plain", "webhook-id": "mine"}
    task = task_for(target.url, headers=headers, secret_headers={"x-key": "secret"}, payload="x" * 99)
    assert (await sender.send(task)).outcome.code == "success"
    got = target.received[0].headers
    assert (got["content-type"], got["user-agent"], got["x-key"]) == ("application/x", "Me", "secret")
    assert got["content-length"] == "101" and "transfer-encoding" not in got
    assert got["webhook-id"] == str(task.message_id)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "get"])
async def test_without_a_payload_there_is_no_body(method: str, target: Target, sender: CallbackSender) -> None:
    report = await sender.send(task_for(target.url, method=method, sends_payload=False))
    assert report.outcome.code == "success"
    (got,) = target.received
    assert (got.method, got.body) == (method.upper(), b"") and "content-type" not in got.headers
    assert report.response is not None and report.response["body"] == ("" if method == "HEAD" else "ok")


async def test_a_get_may_carry_a_payload_and_null_is_one(target: Target, sender: CallbackSender) -> None:
    await sender.send(task_for(target.url, method="GET", payload=None))
    assert target.received[0].body == b"null"


async def test_a_lone_surrogate_is_escaped(target: Target, sender: CallbackSender) -> None:
    await sender.send(task_for(target.url, payload="\ud800"))
    assert target.received[0].body == b'"\\ud800"'


async def test_a_name_and_password_in_the_url_become_a_header(target: Target, sender: CallbackSender) -> None:
    target.answers = [redirect("/x", 307), answer(200, b"got p%40ss and p@ss")]
    report = await sender.send(task_for(f"http://me:p%40ss@127.0.0.1:{target.port}/"))
    expected = "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert [got.headers["authorization"] for got in target.received] == [expected, expected]
    assert "ss" not in str(report.response).replace("address", "")


@pytest.mark.parametrize(
    ("status", "rule", "code"),
    [
        (200, SuccessRule(), "success"),
        (204, SuccessRule(), "success"),
        (304, SuccessRule(((304, 304),)), "success"),
        (302, SuccessRule(((302, 302),)), "success"),
        (302, SuccessRule(), "callback_rejected"),
        (404, SuccessRule(), "http_4xx"),
        (404, SuccessRule(((404, 404),)), "success"),
        (500, SuccessRule(), "http_5xx"),
        (200, SuccessRule(body_contains="done"), "success"),
        (200, SuccessRule(body_contains="gone"), "callback_rejected"),
    ],
)
async def test_success_is_what_the_rule_says(
    status: int, rule: SuccessRule, code: str, target: Target, sender: CallbackSender
) -> None:
    body = b"" if status in (204, 304) else b"all done"
    target.answers = [answer(status, body, *(["Location: /x"] if status == 302 else []))]
    task = task_for(target.url, success=rule, max_redirects=0)
    assert (await sender.send(task)).outcome.code == code
    assert len(target.received) == 1


async def test_a_slow_success_is_slow(target: Target, sender: CallbackSender) -> None:
    assert (await sender.send(task_for(target.url, slow_after_seconds=1e-9))).outcome.code == "slow"


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_redirect_becomes_a_get_without_the_payload(
    status: int, target: Target, sender: CallbackSender
) -> None:
    target.answers = [redirect("/next", status), answer()]
    report = await sender.send(task_for(target.url, secret_headers={"x-key": "k"}))
    second = target.received[1]
    assert (second.method, second.path, second.body) == ("GET", "/next", b"")
    assert "content-type" not in second.headers and second.headers["x-key"] == "k"
    assert report.response is not None
    assert (report.response["url"], report.response["redirects"]) == (target.url + "next", [target.url])


@pytest.mark.parametrize("status", [307, 308])
async def test_a_strict_redirect_keeps_method_and_payload(status: int, target: Target, sender: CallbackSender) -> None:
    target.answers = [redirect("next", status), answer()]
    await sender.send(task_for(target.url, method="PUT"))
    assert [(got.method, got.body) for got in target.received] == [("PUT", b'{"a":1}')] * 2


async def test_another_origin_gets_no_secrets_not_even_on_the_way_back(
    target: Target, sender: CallbackSender, stack: AsyncExitStack
) -> None:
    other = await stack.enter_async_context(Target())
    target.answers = [redirect(other.url, 307), answer()]
    other.answers = [redirect(f"http://new:user@127.0.0.1:{target.port}/", 307)]
    key = "whsec_" + base64.b64encode(bytes(24)).decode()
    await sender.send(
        task_for(
            target.url, headers={"Cookie": "c", "X-Plain": "p"}, secret_headers={"X-Key": "k"}, signing_secrets=(key,)
        )
    )
    private = {"cookie", "x-key", "webhook-signature"}
    assert private <= set(target.received[0].headers)
    for got in (other.received[0], target.received[1]):
        assert not (private | {"authorization"}) & set(got.headers)
        assert got.headers["x-plain"] == "p" and "webhook-id" in got.headers


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/", "http://[", "http:///x", "data:,x"])
async def test_a_bad_redirect_is_rejected(location: str, target: Target, sender: CallbackSender) -> None:
    target.answers = [redirect(location)]
    report = await sender.send(task_for(target.url))
    assert (report.outcome.code, report.forbidden) == ("callback_rejected", False)
    assert report.response is not None and report.response["status"] == 302


async def test_redirects_have_a_limit(target: Target, sender: CallbackSender) -> None:
    target.answers = [redirect("/")]
    report = await sender.send(task_for(target.url, max_redirects=3))
    assert (report.outcome.code, len(target.received)) == ("callback_rejected", 4)
    assert "too many times" in report.outcome.message


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_reported_for_failures_only(status: int, target: Target, sender: CallbackSender) -> None:
    target.answers = [answer(status, b"", "Retry-After: 120"), answer(200, b"", "Retry-After: 120")]
    assert (await sender.send(task_for(target.url))).retry_after_seconds == 120
    assert (await sender.send(task_for(target.url))).retry_after_seconds is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 90 ", 90),
        ("-5", None),
        ("1.5", None),
        ("9" * 5000, None),
        ("soon", None),
        ("", None),
        (None, None),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
        (format_datetime(NOW - timedelta(minutes=2), usegmt=True), 0),
        ("Tue, 10 Mar 2026 12:01:00 -0000", 60),
        ("Tue, 99 Mar 2026 12:01:00 GMT", None),
    ],
)
def test_both_forms_of_retry_after_are_read(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


async def test_a_connection_is_kept_and_a_stale_one_replaced(target: Target, sender: CallbackSender) -> None:
    target.answers = [answer(), answer(), hang_up, answer()]
    codes = [(await sender.send(task_for(target.url))).outcome.code for _ in range(3)]
    assert codes == ["success"] * 3
    assert (target.connections, len(target.received)) == (2, 4)


async def test_a_fresh_connection_that_breaks_is_not_tried_again(target: Target, sender: CallbackSender) -> None:
    target.answers = [hang_up]
    assert (await sender.send(task_for(target.url))).outcome.code == "connection_refused"
    assert len(target.received) == 1


async def test_a_cancelled_sending_leaves_no_open_connection(target: Target, sender: CallbackSender) -> None:
    target.answers = [nothing]
    sending = asyncio.create_task(sender.send(task_for(target.url)))
    await target.arrived.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await target.left.wait()


async def test_hundreds_at_once(target: Target, senders: Senders) -> None:
    sender = await senders("127.0.0.1", connections=50)
    reports = await asyncio.gather(*(sender.send(task_for(target.url)) for _ in range(300)))
    assert {report.outcome.code for report in reports} == {"success"}
    assert len(target.received) == 300 and target.connections <= 50


async def test_an_unusable_header_is_our_fault_and_told_without_its_value(
    target: Target, sender: CallbackSender
) -> None:
    report = await sender.send(task_for(target.url, secret_headers={"X-Key": "hidden\r\nX-Other: value"}))
    assert (report.outcome.code, report.response, target.received) == ("internal_error", None, [])
    assert "hidden" not in repr(report)


async def test_nothing_of_a_task_that_is_secret_shows_in_its_repr() -> None:
    secrets: dict[str, Any] = {"secret_headers": {"a": "hidden"}, "signing_secrets": ("hidden",), "payload": "hidden"}
    assert "hidden" not in repr(task_for("https://a.example/hidden", **secrets))
