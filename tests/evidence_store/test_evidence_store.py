"""What every evidence store must do, proved on each kind of it."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared.evidence_store import EvidenceStore, Place, StoreUnavailable
from tests.patience import PATIENCE_SECONDS
from tests.servers.s3 import KEYS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
JOB = UUID("0b8a1f2e-9a40-5f3c-8b4c-6d1f5c1f7a10")
PLACE = Place.of(JOB, NOON, 1)


async def kept(store: EvidenceStore) -> list[Place]:
    return [place async for day in store.days() async for place in store.places(day)]


async def test_what_was_written_is_read(store: EvidenceStore) -> None:
    content = bytes(range(256)) * 1000
    await store.write(PLACE, "screenshot.jpg", content)
    await store.write(PLACE, "page.html", b"")
    assert await store.read(PLACE, "screenshot.jpg") == content
    assert await store.read(PLACE, "page.html") == b""


async def test_a_second_writing_replaces_the_first(store: EvidenceStore) -> None:
    await store.write(PLACE, "page.html", b"first")
    await store.write(PLACE, "page.html", b"second")
    assert await store.read(PLACE, "page.html") == b"second"


async def test_many_at_once_do_not_mix(store: EvidenceStore) -> None:
    names = [f"step-{number:02}.jpg" for number in range(20)]
    await asyncio.gather(*(store.write(PLACE, name, name.encode()) for name in names))
    assert await asyncio.gather(*(store.read(PLACE, name) for name in names)) == [name.encode() for name in names]


async def test_what_was_never_written_is_missing(store: EvidenceStore) -> None:
    with pytest.raises(FileNotFoundError):
        await store.read(PLACE, "screenshot.jpg")


async def test_no_name_leads_out(store: EvidenceStore) -> None:
    for name in ("../escape", "a/b", "", ".hidden", "UPPER", "x" * 82, "nul\0", "a\n"):
        with pytest.raises(FileNotFoundError):
            await store.read(PLACE, name)
        with pytest.raises(FileNotFoundError):
            await store.write(PLACE, name, b"x")
    assert await kept(store) == []


async def test_an_attempt_is_deleted_whole_and_alone(store: EvidenceStore) -> None:
    again, other = Place.of(JOB, NOON, 2), Place.of(uuid4(), NOON, 1)
    for place in (PLACE, again, other):
        await store.write(place, "screenshot.jpg", b"x")
        await store.write(place, "page.html", b"y")
    for _ in range(2):  # a second time does nothing
        await store.delete(PLACE)
    with pytest.raises(FileNotFoundError):
        await store.read(PLACE, "screenshot.jpg")
    assert set(await kept(store)) == {again, other}
    assert await store.read(again, "page.html") == b"y"


async def test_attempt_1_is_not_attempt_10(store: EvidenceStore) -> None:
    tenth = Place.of(JOB, NOON, 10)
    for place in (PLACE, tenth):
        await store.write(place, "a.txt", b"x")
    await store.delete(PLACE)
    assert await kept(store) == [tenth]


async def test_days_come_in_order_and_each_place_once(store: EvidenceStore) -> None:
    places = [Place(date(2026, 1, day), JOB, attempt) for day in (9, 10) for attempt in (1, 2)]
    for place in reversed(places):
        for name in ("a.txt", "b.txt"):
            await store.write(place, name, b"x")
    assert [day async for day in store.days()] == [date(2026, 1, 9), date(2026, 1, 10)]
    assert await kept(store) == places


async def test_an_empty_store_has_no_days(store: EvidenceStore) -> None:
    assert [day async for day in store.days()] == []
    assert [place async for place in store.places(NOON.date())] == []


async def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    from shared.evidence_store.folder import FolderStore

    (tmp_path / "lost+found").mkdir()
    (tmp_path / "2026-01-09" / "notes").mkdir(parents=True)
    (tmp_path / "2026-01-09" / str(JOB)).mkdir()
    (tmp_path / "2026-01-09" / str(JOB) / "x").write_text("")
    assert await kept(FolderStore(tmp_path)) == []


async def test_a_store_that_is_away_says_so_and_no_secret(broken_store: EvidenceStore) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(StoreUnavailable) as raised:
            await broken_store.write(PLACE, "screenshot.jpg", b"x")
    assert "store" in str(raised.value) or "folder" in str(raised.value)
    assert KEYS["secret_key"] not in str(raised.value)
