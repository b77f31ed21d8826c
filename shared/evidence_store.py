"""Where evidence lies: a folder that the runner writes and the API reads. Names are checked, so no path leads out."""

import asyncio
import os
import re
from datetime import datetime
from pathlib import Path
from uuid import UUID

_NAME = re.compile(r"^[a-z0-9][a-z0-9_.-]{0,80}$")


class EvidenceStore:
    """Files by scheduled job, attempt and name, in one folder a day of the due moment."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, job: UUID, due_at: datetime, attempt: int, name: str, content: bytes) -> None:
        path = self._path(job, due_at, attempt, name)
        await asyncio.to_thread(_write_whole, path, content)

    async def read(self, job: UUID, due_at: datetime, attempt: int, name: str) -> bytes:
        """The content. Raises FileNotFoundError when it is not (or no longer) there, or the name is not one of ours."""
        return await asyncio.to_thread(self._path(job, due_at, attempt, name).read_bytes)

    def _path(self, job: UUID, due_at: datetime, attempt: int, name: str) -> Path:
        if not _NAME.match(name):
            raise FileNotFoundError(name)
        return self._root / f"{due_at:%Y-%m-%d}" / str(job) / str(attempt) / name


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(path.suffix + f".{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)
