"""The signature of Standard Webhooks."""

import base64
import hmac

import pytest

from services.runner.callback.send import CallbackSender
from services.runner.callback.signature import sign
from shared.domain.signing_secret import parse_secret
from tests.runner.callback.conftest import MESSAGE, task_for
from tests.runner.callback.target import Target

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(64))).decode()


def signature(secret: str, message: str, timestamp: str, body: bytes) -> str:
    """As a receiver computes it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{timestamp}.".encode() + body, "sha256").digest()
    return "v1," + base64.b64encode(digest).decode()


def test_the_example_of_the_specification() -> None:
    message = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert sign([SECRET], message, 1614265330, b'{"test": 2432232314}') == {
        "webhook-id": message,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_every_secret_signs() -> None:
    signed = sign([SECRET, OTHER], "m", 7, b"x")["webhook-signature"]
    assert signed == f"{signature(SECRET, 'm', '7', b'x')} {signature(OTHER, 'm', '7', b'x')}"


def test_without_a_secret_the_message_still_has_its_id() -> None:
    assert sign([], "m", 7, b"") == {"webhook-id": "m", "webhook-timestamp": "7"}


@pytest.mark.parametrize(
    "secret",
    [
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_not-base-64!",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_é",
    ],
)
def test_a_bad_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="signing secret") as raised:
        parse_secret(secret)
    assert secret.removeprefix("whsec_") not in str(raised.value)


async def test_what_arrives_is_signed_over_exactly_its_body(target: Target, sender: CallbackSender) -> None:
    task = task_for(target.url, payload={"ü": ["€", 1.5]}, signing_secrets=(SECRET, OTHER))
    assert (await sender.send(task)).outcome.code == "success"
    (got,) = target.received
    assert got.body == '{"ü":["€",1.5]}'.encode()
    assert got.headers["webhook-id"] == str(MESSAGE)
    assert got.headers["webhook-signature"].split(" ") == [
        signature(secret, str(MESSAGE), got.headers["webhook-timestamp"], got.body) for secret in (SECRET, OTHER)
    ]


async def test_a_secret_that_is_none_is_our_fault_and_stays_secret(target: Target, sender: CallbackSender) -> None:
    report = await sender.send(task_for(target.url, signing_secrets=("whsec_c2hvcnQ=",)))
    assert report.outcome.code == "internal_error"
    assert report.traceback and "24 to 64 bytes" in report.traceback
    assert "c2hvcnQ" not in repr(report)
    assert target.connections == 0
