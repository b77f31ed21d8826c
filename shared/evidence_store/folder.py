"""Evidence in a folder that runner, API and scheduler share. A folder a day, one a scheduled job, one an attempt."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TypeVar

from shared.evidence_store.place import Place, StoreUnavailable

T = TypeVar("T")


class FolderStore:
    """Files of one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, place: Place, name: str, content: bytes) -> None:
        path = self._root / place.file(name)
        await _in_thread(lambda: _write_whole(path, content))

    async def read(self, place: Place, name: str) -> bytes:
        path = self._root / place.file(name)
        return await _in_thread(path.read_bytes)

    async def delete(self, place: Place) -> None:
        await _in_thread(lambda: _delete(self._root / place.path))

    async def days(self) -> AsyncIterator[date]:
        for name in await _in_thread(lambda: _names(self._root)):
            with suppress(ValueError):
                yield date.fromisoformat(name)

    async def places(self, day: date) -> AsyncIterator[Place]:
        for job in await _in_thread(lambda: _names(self._root / day.isoformat())):
            for attempt in await _in_thread(lambda job=job: _names(self._root / day.isoformat() / job)):  # type: ignore[misc]
                place = Place.parse(f"{day.isoformat()}/{job}/{attempt}")
                if place is not None:
                    yield place

    async def close(self) -> None:
        return None


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreUnavailable(error.errno, f"the evidence folder: {os.strerror(error.errno or 0)}") from error


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)


def _delete(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
    # What is empty now goes as well; another attempt or job may still be there, or just come.
    with suppress(OSError):
        folder.parent.rmdir()
        folder.parent.parent.rmdir()


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
