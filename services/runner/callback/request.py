"""The request of a callback, and what becomes of it when it is redirected."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from yarl import URL

from services.runner.callback.signature import sign
from services.runner.callback.task import CallbackTask
from services.runner.masking import secrets_in_query

_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_ENCODE_ASCII = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
# These say how the message is framed, which aiohttp alone must decide.
_FRAMING = frozenset({"content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"})
_FOR_THE_ORIGIN = frozenset({"authorization", "cookie", "proxy-authorization", "webhook-signature"})
_OF_THE_BODY = frozenset({"content-type", "content-encoding", "content-language", "content-location"})
_SCHEMES = ("http", "https")
# Shorter ones (`?key=1`) are no secrets, and masking them everywhere would garble the answer.
_SHORTEST_IN_QUERY = 6


class BadUrl(ValueError):
    """Not a URL that callbacks are sent to; the message says what is wrong, without repeating it."""


class BadRedirect(ValueError):
    """A redirect that is not followed; the message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """Header names in lower case."""

    method: str
    url: URL
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def request_of(task: CallbackTask, timestamp: int) -> Request:
    """Raises BadUrl; ValueError for a signing secret or a payload that is none."""
    url = _url(task.url)
    body = _body(task) if task.sends_payload else None
    headers = {"content-type": "application/json"} if body is not None else {}
    for name, value in (*task.headers.items(), *task.secret_headers.items()):
        if (lower := name.lower()) not in _FRAMING:
            headers[lower] = value
    headers |= sign(task.signing_secrets, str(task.message_id), timestamp, body or b"")
    if url.raw_user is not None or url.raw_password is not None:
        login = f"{url.user or ''}:{url.password or ''}".encode()
        headers.setdefault("authorization", "Basic " + base64.b64encode(login).decode())
        url = url.with_user(None)
    return Request(task.method.upper(), url, headers, body)


def redirected(request: Request, status: int, location: str, task: CallbackTask) -> Request:
    """The request to send next; its headers may be fewer. Raises BadRedirect."""
    try:
        url = request.url.join(URL(location)).with_user(None).with_fragment(None)
        left_origin = url.origin() != request.url.origin()
    except ValueError:
        raise BadRedirect("the location is not a URL") from None
    if url.scheme not in _SCHEMES or not url.raw_host:
        raise BadRedirect("only http and https are followed")
    following = replace(request, url=url)
    if status not in (307, 308) and request.method != "HEAD":
        following = _without_body(following, task)
    if left_origin:
        following = _without_secrets(following, task)
        if request.url.scheme == "https" and url.scheme == "http" and following.body is not None:
            raise BadRedirect("a payload that was encrypted is not sent in the clear")
    return following


def _url(text: str) -> URL:
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        raise BadUrl("the URL is not valid") from None
    if url.scheme not in _SCHEMES or not url.raw_host or not port:
        raise BadUrl("the URL is not one of http or https")
    return url


def _body(task: CallbackTask) -> bytes:
    try:
        return _ENCODE(task.payload).encode()
    except UnicodeEncodeError:
        # A lone surrogate can be escaped, but not be written as UTF-8.
        return _ENCODE_ASCII(task.payload).encode()


def _without_body(request: Request, task: CallbackTask) -> Request:
    headers = {name: value for name, value in request.headers.items() if name not in _OF_THE_BODY}
    if "webhook-signature" in headers:
        headers |= sign(task.signing_secrets, headers["webhook-id"], int(headers["webhook-timestamp"]), b"")
    return replace(request, method="GET", headers=headers, body=None)


def _without_secrets(request: Request, task: CallbackTask) -> Request:
    private = _FOR_THE_ORIGIN | {name.lower() for name in task.secret_headers}
    return replace(request, headers={name: value for name, value in request.headers.items() if name not in private})


def secrets_of(task: CallbackTask) -> Iterator[str]:
    """What must not be kept of what the target echoes."""
    for value in task.secret_headers.values():
        yield value
        scheme, _, token = value.partition(" ")
        yield token
        if scheme.lower() == "basic":
            yield from _basic(token)
    for secret in task.signing_secrets:
        yield secret
        yield secret.partition("_")[2]
    if "=" in task.url:
        yield from (value for value in secrets_in_query(task.url) if len(value) >= _SHORTEST_IN_QUERY)
    if "@" in task.url:
        yield from _userinfo(task.url)


def _userinfo(text: str) -> Iterator[str]:
    try:
        url = URL(text)
    except ValueError:
        return
    if url.password:
        yield url.password
        yield base64.b64encode(f"{url.user or ''}:{url.password}".encode()).decode()


def _basic(token: str) -> Iterator[str]:
    try:
        login = base64.b64decode(token).decode()
    except ValueError:
        return
    yield login
    yield login.partition(":")[2]
