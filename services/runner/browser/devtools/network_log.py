"""What the network of a browser did, request by request, as DevTools tells it.

Kept are neither bodies nor headers, which hold passwords and cookies. Tokens and cookies that pass by are remembered
only to be masked wherever else they turn up.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.runner.masking import is_token, secrets_in_query

_KEPT = 400
_MOST_TOKENS = 300
_SECRET_COOKIE = re.compile(r"(?i)sess|sid|token|auth|jwt|csrf|xsrf|remember|ticket|identity")
_SECRET_HEADER = re.compile(r"(?i)^(proxy-)?authorization$|token|api-?key|secret")


@dataclass(slots=True)
class Exchange:
    """One request of a page. `status` and `error` (`ERR_...`) are None while unknown; `sent`: it had a connection.

    `started` is on the monotonic clock of this process, in seconds; parts of the time are in milliseconds, None when
    the connection was reused or the time is unknown. `bytes` is what came over the wire. `asks_for_password`: the
    answer asked for HTTP authentication. `loader` tells which document it belongs to, `target` which page.
    """

    url: str
    method: str
    main_document: bool
    background: bool
    status: int | None = None
    error: str | None = None
    sent: bool = False
    ended: bool = False
    kind: str = ""
    started: float = 0.0
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    wait_ms: float | None = None
    total_ms: float | None = None
    bytes: int | None = None
    from_cache: bool = False
    remote_address: str | None = None
    protocol: str | None = None
    asks_for_password: bool = False
    loader: str = ""
    target: str | None = None


class NetworkLog:
    """The last few hundred exchanges; `dropped` counts the earlier ones, `heard` all; `tokens` are secrets in them."""

    def __init__(self) -> None:
        self.exchanges: deque[Exchange] = deque(maxlen=_KEPT)
        self.heard = 0
        self.dropped = 0
        self.tokens: set[str] = set()
        self._by_request: dict[str, tuple[Exchange, float]] = {}
        self._documents: dict[str | None, str] = {}
        self._left: set[str] = set()
        self._ahead = float("inf")

    def hear(self, method: str, params: Mapping[str, Any], target: str | None, now: float) -> None:
        """One `Network.` event of the page `target`; `now` on this process's monotonic clock."""
        self._remember_tokens(method, params)
        timestamp = params.get("timestamp")
        if timestamp is not None:
            # The browser has a clock of its own; the event that took the shortest way tells how far ahead ours is.
            self._ahead = min(self._ahead, now - timestamp)
        if method == "Network.requestWillBeSent":
            self._begin(params, target)
            return
        exchange, began = self._by_request.get(params.get("requestId", ""), (None, 0.0))
        if exchange is None:
            return
        match method:
            case "Network.requestWillBeSentExtraInfo":
                exchange.sent = True
            case "Network.requestServedFromCache":
                exchange.from_cache = True
            case "Network.responseReceived":
                exchange.status, exchange.sent = params["response"]["status"], True
                exchange.kind = params.get("type", exchange.kind)
                headers = {name.lower() for name in params["response"].get("headers", {})}
                exchange.asks_for_password = "www-authenticate" in headers
                _note_response(exchange, params["response"], began)
                if exchange.main_document:
                    self._arrive(target, exchange.loader)
            case "Network.loadingFailed":
                exchange.error = str(params.get("errorText", "")).removeprefix("net::")
                exchange.ended, exchange.total_ms = True, _ms(timestamp, began)
            case "Network.loadingFinished":
                exchange.bytes = int(params.get("encodedDataLength", 0))
                exchange.ended, exchange.total_ms = True, _ms(timestamp, began)

    def _begin(self, params: Mapping[str, Any], target: str | None) -> None:
        number, kind, timestamp = params.get("requestId", ""), params.get("type", ""), params.get("timestamp", 0.0)
        before, began = self._by_request.get(number, (None, 0.0))
        if before is not None and "redirectResponse" in params:
            # A redirect keeps its request's id.
            answer = params["redirectResponse"]
            before.status, before.sent, before.ended = answer["status"], True, True
            before.bytes, before.total_ms = int(answer.get("encodedDataLength", 0)), _ms(timestamp, began)
            _note_response(before, answer, began)
        main = kind == "Document" and params.get("frameId") == target
        request = params["request"]
        exchange = Exchange(request["url"], request["method"], main, kind in ("XHR", "Fetch"), kind=kind)
        exchange.started = timestamp + self._ahead if timestamp else 0.0
        exchange.loader, exchange.target = params.get("loaderId", ""), target
        exchange.ended = exchange.loader in self._left
        self._by_request[number] = exchange, timestamp
        self.dropped += len(self.exchanges) == _KEPT
        self.exchanges.append(exchange)
        self.heard += 1
        while len(self._by_request) > _KEPT:
            del self._by_request[next(iter(self._by_request))]

    def _arrive(self, target: str | None, loader: str) -> None:
        """At a new document. Of what the former one had under way, the end is not always told."""
        former = self._documents.get(target, loader)
        self._documents[target] = loader
        if former != loader:
            self._left.add(former)
            for exchange in self.exchanges:
                exchange.ended = exchange.ended or exchange.loader == former

    def close(self, target: str) -> None:
        """The page is gone. Of what it had under way, the end is never told."""
        for exchange in self.exchanges:
            exchange.ended = exchange.ended or exchange.target == target

    def _remember_tokens(self, method: str, params: Mapping[str, Any]) -> None:
        if len(self.tokens) >= _MOST_TOKENS:
            return
        if method == "Network.requestWillBeSent":
            self.tokens.update(value for value in secrets_in_query(params["request"]["url"]) if is_token(value))
        elif method == "Network.requestWillBeSentExtraInfo":
            sent = (each["cookie"] for each in params.get("associatedCookies", ()) if not each.get("blockedReasons"))
            self.tokens.update(_secret_cookies((cookie["name"], cookie["value"]) for cookie in sent))
            self.tokens.update(_secret_headers(params.get("headers", {})))
        elif method == "Network.responseReceivedExtraInfo":
            headers = {name.lower(): value for name, value in params.get("headers", {}).items()}
            lines = headers.pop("set-cookie", "").split("\n")
            given = (line.partition(";")[0].partition("=")[::2] for line in lines)
            self.tokens.update(_secret_cookies((name.strip(), value.strip()) for name, value in given))
            self.tokens.update(_secret_headers(headers))


def _note_response(exchange: Exchange, response: Mapping[str, Any], began: float) -> None:
    exchange.from_cache = bool(
        exchange.from_cache or response.get("fromDiskCache") or response.get("fromPrefetchCache")
    )
    exchange.protocol = response.get("protocol")
    if response.get("remoteIPAddress"):
        exchange.remote_address = f"{response['remoteIPAddress']}:{response.get('remotePort', 0)}"
    timing = response.get("timing")
    if not timing or exchange.from_cache:
        return
    exchange.dns_ms = _part(timing, "dnsStart", "dnsEnd")
    exchange.connect_ms = _part(timing, "connectStart", "connectEnd")
    exchange.tls_ms = _part(timing, "sslStart", "sslEnd")
    if timing.get("receiveHeadersEnd", -1) >= 0:
        before = (timing["requestTime"] - began) * 1000 if began else 0.0
        exchange.wait_ms = round(max(before, 0.0) + timing["receiveHeadersEnd"], 1)


def _part(timing: Mapping[str, float], start: str, end: str) -> float | None:
    begin = timing.get(start, -1)
    return round(timing.get(end, begin) - begin, 1) if begin >= 0 else None


def _ms(timestamp: float | None, began: float) -> float | None:
    return round((timestamp - began) * 1000, 1) if timestamp is not None and began else None


def _secret_cookies(cookies: Iterable[tuple[str, str]]) -> set[str]:
    return {value for name, value in cookies if is_token(value) or (_SECRET_COOKIE.search(name) and len(value) >= 6)}


def _secret_headers(headers: Mapping[str, str]) -> set[str]:
    found = {value.rpartition(" ")[2] for name, value in headers.items() if _SECRET_HEADER.search(name)}
    return {value for value in found if len(value) >= 6}
