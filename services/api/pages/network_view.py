"""The network and console of an attempt as its evidence tells them, made ready to be shown."""

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from services.api.job_results.schemas import AttemptView
from services.api.pages.words import duration
from shared.evidence_store import EvidenceStore, Place, StoreUnavailable

READ_SECONDS = 3.0
LEAST_SHARE = 0.4


class _Exchange(BaseModel):
    model_config = ConfigDict(extra="ignore")

    method: str
    url: str
    type: str = ""
    status: int | None = None
    error: str | None = None
    ended: bool = True
    start_ms: float
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    wait_ms: float | None = None
    total_ms: float | None = None
    bytes: int | None = None
    from_cache: bool = False
    remote_address: str | None = None
    protocol: str | None = None


class _Network(BaseModel):
    entries: list[_Exchange]
    dropped: int = 0


class ConsoleEntry(BaseModel):
    model_config = ConfigDict(extra="ignore")

    level: str
    source: str
    text: str
    at_ms: float


class Console(BaseModel):
    entries: list[ConsoleEntry]
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One request: what was asked, what came of it, and its bar; shares in percent of the whole time."""

    method: str
    host: str
    path: str
    kind: str
    result: str
    bad: bool
    size: str
    took: str
    start: float
    parts: list[tuple[str, float, float]]
    """(`connect`, `wait` or `receive`, where it begins, how wide it is), for those that took time."""
    told: str


@dataclass(frozen=True, slots=True)
class NetworkStory:
    rows: list[ExchangeRow]
    bad: int
    dropped: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Heard:
    """None for what is not kept; `away`: the store did not answer."""

    network: NetworkStory | None = None
    console: Console | None = None
    away: bool = False


NOTHING_HEARD = Heard()


async def read_heard(store: EvidenceStore, place: Place, attempt: AttemptView) -> Heard:
    """Of one attempt; of several checks that of the one that failed comes first. Never raises for what is not there."""
    names = [entry.name for entry in attempt.evidence]
    failed = next((check.check for check in attempt.checks if not check.outcome.success), "")

    async def read(suffix: str) -> bytes | None:
        mine = [name for name in names if name == suffix or name.endswith(f"-{suffix}")]
        name = next((name for name in mine if name.startswith(failed)), mine[0] if mine else None)
        try:
            return await store.read(place, name) if name is not None else None
        except FileNotFoundError:
            return None

    try:
        async with asyncio.timeout(READ_SECONDS):
            network, console = await asyncio.gather(read("network.json"), read("console.json"))
    except (StoreUnavailable, TimeoutError):
        return Heard(away=True)
    try:
        return Heard(
            network_story(_Network.model_validate_json(network)) if network is not None else None,
            Console.model_validate_json(console) if console is not None else None,
        )
    except ValidationError:
        return NOTHING_HEARD


def network_story(network: _Network) -> NetworkStory:
    ends = [each.start_ms + (each.total_ms or 0.0) for each in network.entries]
    whole = max([1.0, *ends])
    rows = [_row(each, whole) for each in network.entries]
    return NetworkStory(rows, sum(row.bad for row in rows), network.dropped, whole / 1000)


def _row(each: _Exchange, whole: float) -> ExchangeRow:
    parts = urlsplit(each.url)
    path = each.url if parts.scheme not in ("http", "https") else parts._replace(scheme="", netloc="").geturl() or "/"
    result = str(each.status) if each.status is not None else each.error or ("no answer" if not each.ended else "–")
    # A load that the page gave up by itself is no fault.
    failed = each.error is not None and each.error != "ERR_ABORTED"
    return ExchangeRow(
        method=each.method,
        host=parts.netloc,
        path=path,
        kind=each.type or "–",
        result=result if not failed or each.status is None else f"{each.status}, {each.error}",
        bad=failed or (each.status or 0) >= 400 or not each.ended,
        size=_size(each),
        took=duration(each.total_ms / 1000) if each.total_ms is not None else "not ended",
        start=_share(each.start_ms, whole),
        parts=_parts(each, whole),
        told=_told(each),
    )


def _parts(each: _Exchange, whole: float) -> list[tuple[str, float, float]]:
    total = each.total_ms if each.total_ms is not None else whole - each.start_ms
    connected = min((each.dns_ms or 0.0) + (each.connect_ms or 0.0), total)
    answered = min(max(each.wait_ms or 0.0, connected), total)
    spans = (("connect", 0.0, connected), ("wait", connected, answered), ("receive", answered, total))
    if each.wait_ms is None:
        spans = (("connect", 0.0, connected), ("wait", connected, total), ("receive", total, total))
    found = [
        (name, _share(each.start_ms + begin, whole), round(max((end - begin) / whole * 100, LEAST_SHARE), 2))
        for name, begin, end in spans
        if end > begin
    ]
    return found or [("receive", _share(each.start_ms, whole), LEAST_SHARE)]


def _told(each: _Exchange) -> str:
    """The bar in words."""
    names = (
        ("DNS", each.dns_ms),
        ("connection", each.connect_ms),
        ("of it TLS", each.tls_ms),
        ("answer", each.wait_ms),
    )
    said = [f"begins at {duration(max(each.start_ms, 0) / 1000)}"]
    said += [f"{name} {duration(ms / 1000)}" for name, ms in names if ms is not None]
    said += [f"in all {duration(each.total_ms / 1000)}"] if each.total_ms is not None else []
    said += [text for text in (each.protocol, each.remote_address) if text]
    return ", ".join(said)


def _share(ms: float, whole: float) -> float:
    return round(min(max(ms / whole * 100, 0.0), 100 - LEAST_SHARE), 2)


def _size(each: _Exchange) -> str:
    if each.from_cache:
        return "cached"
    if each.bytes is None:
        return "–"
    return f"{each.bytes} B" if each.bytes < 1024 else f"{each.bytes / 1024:.1f} KB"
