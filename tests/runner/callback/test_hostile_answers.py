"""Answers that are slow, endless, broken, huge or full of secrets; and a network that fails."""

import asyncio
import base64
import gzip
import json
import socket
import ssl
import tracemalloc
import zlib
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.runner.callback.response import KEPT_BYTES, SEARCHED_BYTES
from services.runner.callback.send import CallbackSender
from shared.domain.callback import SuccessRule
from tests.runner.callback.conftest import Senders, task_for
from tests.runner.callback.target import Answer, Received, Target, answer, nothing, redirect


def written(*parts: bytes) -> Answer:
    """These bytes, and then the end of the connection."""

    async def say(_: Received, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        writer.close()

    return say


def dripped(head: bytes, drop: bytes) -> Answer:
    """A drop every now and then, until the other side leaves."""

    async def say(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(drop)
            await writer.drain()
            # The pace of this side, which no test waits for.
            await asyncio.sleep(0.01)

    return say


@pytest.mark.parametrize(
    ("say", "status"),
    [
        (nothing, None),
        (dripped(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), None),
        (dripped(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), None),
        (dripped(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"), 200),
        (dripped(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), 200),
    ],
)
async def test_the_limit_holds_for_everything(
    say: Answer, status: int | None, target: Target, sender: CallbackSender
) -> None:
    target.answers = [say]
    report = await sender.send(task_for(target.url, timeout_seconds=0.6))
    assert report.outcome.code == "check_timeout"
    assert (report.response or {}).get("status") == status
    await target.left.wait()


async def test_no_complete_answer_in_time(target: Target, sender: CallbackSender) -> None:
    target.answers = [dripped(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")]
    report = await sender.send(task_for(target.url, timeout_seconds=0.6))
    assert report.outcome.message == "No complete answer within its 0.6 s."
    assert report.response is not None
    assert report.response["truncated"] and set(report.response["body"]) == {"x"}


async def test_the_limit_holds_over_redirects(target: Target, sender: CallbackSender) -> None:
    target.answers = [redirect("/a"), redirect("/b"), nothing]
    report = await sender.send(task_for(target.url, timeout_seconds=0.6))
    assert report.outcome.code == "check_timeout" and len(target.received) == 3


async def test_a_host_that_accepts_nothing_is_told_apart(sender: CallbackSender) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        report = await sender.send(task_for(f"http://127.0.0.1:{full.getsockname()[1]}/", timeout_seconds=0.6))
        for one in waiting:
            one.close()
    assert report.outcome.code == "connection_timeout"


async def test_a_decompression_bomb_does_not_go_off(target: Target, sender: CallbackSender) -> None:
    squeeze = zlib.compressobj(9, wbits=31)
    million = bytes(1024 * 1024)
    bomb = b"".join(squeeze.compress(million) for _ in range(128)) + squeeze.flush()
    target.answers = [answer(200, bomb, "Content-Encoding: gzip")]
    tracemalloc.start()
    try:
        report = await sender.send(task_for(target.url, success=SuccessRule(body_contains="never")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.outcome.code == "callback_rejected"
    assert report.response is not None and report.response["bytes"] == SEARCHED_BYTES
    assert peak < 30 * 1024 * 1024


async def test_of_an_endless_body_the_beginning_is_kept(target: Target, sender: CallbackSender) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    target.answers = [written(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[chunk] * 100)]
    report = await sender.send(task_for(target.url))
    assert report.outcome.code == "success"
    assert report.response is not None
    assert (len(report.response["body"]), report.response["truncated"]) == (KEPT_BYTES, True)
    await target.left.wait()


@pytest.mark.parametrize("place", [0, KEPT_BYTES + 5, SEARCHED_BYTES - 4])
async def test_the_text_is_looked_for_in_the_first_mebibyte(place: int, target: Target, sender: CallbackSender) -> None:
    target.answers = [answer(200, b"." * place + b"done" + b"." * SEARCHED_BYTES)]
    report = await sender.send(task_for(target.url, success=SuccessRule(body_contains="done")))
    assert report.outcome.code == "success"


async def test_gzip_is_read(target: Target, sender: CallbackSender) -> None:
    target.answers = [answer(200, gzip.compress(b"hello"), "Content-Encoding: gzip")]
    report = await sender.send(task_for(target.url))
    assert report.response is not None and report.response["body"] == "hello"


@pytest.mark.parametrize(
    "say",
    [
        written(b"not HTTP at all\r\n\r\n"),
        written(b""),
        written(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        written(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n"),
        written(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        written(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
        written(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
        written(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"),
        written(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    ],
)
async def test_a_broken_answer_is_a_broken_connection(say: Answer, target: Target, sender: CallbackSender) -> None:
    target.answers = [say]
    report = await sender.send(task_for(target.url))
    assert (report.outcome.code, report.traceback) == ("connection_refused", None)


@pytest.mark.parametrize("charset", ["idna", "punycode", "zlib_codec", "utf-7", "no-such", "utf-16", '"utf-8'])
async def test_no_charset_breaks_the_report(charset: str, target: Target, sender: CallbackSender) -> None:
    target.answers = [
        answer(200, b"xn--\x00\xd8\xff" * 3, f"Content-Type: text/x; charset={charset}", "Server: \xff\x80")
    ]
    report = await sender.send(task_for(target.url))
    assert report.outcome.code == "success"
    json.dumps(report.response, ensure_ascii=False).encode()
    assert "\0" not in str(report.response)


SECRET = 's3cr"t/ value+with <spaces>'
TOKEN = "tok-4f9a8b7c6d5e"
SIGNING = "whsec_" + base64.b64encode(b"k" * 24).decode()


@pytest.mark.parametrize("status", [200, 302, 500])
async def test_echoed_secrets_are_not_reported(status: int, target: Target, sender: CallbackSender) -> None:
    login = base64.b64encode(b"me:open-sesame").decode()
    echoes = [SECRET, quote(SECRET), quote(SECRET, safe=""), json.dumps(SECRET)[1:-1], TOKEN, SIGNING, SIGNING[6:]]
    echoes += ["open-sesame", login, "in-the-query"]
    lines = (f"Server: {TOKEN}", f"Location: http://[/?token={TOKEN}", f"Content-Type: text/x; a={TOKEN}")
    target.answers = [answer(status, " ".join(echoes).encode(), *lines)]
    report = await sender.send(
        task_for(
            f"{target.url}?token=in-the-query",
            secret_headers={"X-Key": SECRET, "Authorization": f"Bearer {TOKEN}", "Other": f"Basic {login}"},
            headers={"X-Known": "public"},
            signing_secrets=(SIGNING,),
        )
    )
    assert report.response is not None and report.response["status"] == status
    assert report.response["body"] == ("" if status == 302 else " ".join(["***"] * len(echoes)))
    assert [echo for echo in echoes if echo in repr(report)] == []


@pytest.mark.parametrize("shift", range(0, len(TOKEN) + 4, 3))
async def test_no_part_of_a_secret_stays_at_the_cut(shift: int, target: Target, sender: CallbackSender) -> None:
    target.answers = [answer(200, b"." * (KEPT_BYTES - shift) + TOKEN.encode() + b"." * 100)]
    report = await sender.send(task_for(target.url, secret_headers={"Authorization": f"Bearer {TOKEN}"}))
    assert report.response is not None
    assert "tok" not in report.response["body"] and len(report.response["body"]) > KEPT_BYTES - 100


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def test_a_refused_connection_and_an_unknown_name(
    sender: CallbackSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await sender.send(task_for(f"http://127.0.0.1:{closed_port()}/"))).outcome.code == "connection_refused"

    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    assert (await sender.send(task_for("http://nowhere.example/"))).outcome.code == "dns_error"
    assert (await sender.send(task_for(f"http://{'a' * 64}.example/"))).outcome.code == "dns_error"


@pytest.mark.parametrize(("answers", "code"), [(True, "connection_refused"), (False, "network_unreachable")])
async def test_our_own_outage_is_not_the_targets(answers: bool, code: str, target: Target, senders: Senders) -> None:
    control = target.url if answers else f"http://127.0.0.1:{closed_port()}/"
    sender = await senders("127.0.0.2", control_url=control)
    tasks = [task_for(f"http://127.0.0.2:{closed_port()}/") for _ in range(20)]
    reports = await asyncio.gather(*map(sender.send, tasks))
    assert {report.outcome.code for report in reports} == {code}
    assert len(target.received) == int(answers), "asked once for all"


async def test_the_control_page_is_not_asked_about_an_answer(target: Target, senders: Senders) -> None:
    control_url = f"http://127.0.0.1:{closed_port()}/"
    target.answers = [answer(500)]
    sender = await senders("127.0.0.1", control_url=control_url)
    assert (await sender.send(task_for(target.url))).outcome.code == "http_5xx"


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """That of a server whose certificate nobody knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(
        private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


async def test_an_unknown_certificate_is_refused(
    tls: ssl.SSLContext, sender: CallbackSender, stack: AsyncExitStack
) -> None:
    target = await stack.enter_async_context(Target(tls=tls))
    report = await sender.send(task_for(target.url))
    assert (report.outcome.code, target.received) == ("tls_error", [])
    assert "self-signed certificate" in report.outcome.message


async def test_tls_to_a_server_that_speaks_none(target: Target, sender: CallbackSender) -> None:
    target.answers = [answer()]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)

        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(b"HTTP/1.1 400 No\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(speak, sock=listening):
            report = await sender.send(task_for(f"https://127.0.0.1:{listening.getsockname()[1]}/"))
    assert report.outcome.code == "tls_error"
