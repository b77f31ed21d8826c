from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.embedded.process import LOOPBACK, free_port
from shared.evidence_store import EvidenceStore
from shared.evidence_store.folder import FolderStore
from shared.evidence_store.s3 import S3Store
from tests.servers.s3 import KEYS, S3Server


@pytest_asyncio.fixture(params=["folder", "s3", "s3 without its bucket"])
async def broken_store(
    request: pytest.FixtureRequest, tmp_path: Path, s3_server: S3Server
) -> AsyncIterator[EvidenceStore]:
    """One that can't be written: a file where the folder should be, nobody at the address, no such bucket."""
    if request.param == "folder":
        (tmp_path / "evidence").write_text("a file")
        yield FolderStore(tmp_path / "evidence")
        return
    missing = "bucket" in request.param
    url = s3_server.url if missing else f"http://{LOOPBACK}:{free_port()}"
    made = S3Store("nowhere", endpoint_url=url, **KEYS)
    yield made
    await made.close()
