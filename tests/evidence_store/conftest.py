import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from services.embedded.process import LOOPBACK, free_port
from shared.evidence_store import EvidenceStore
from shared.evidence_store.folder import FolderStore
from shared.evidence_store.s3 import S3Store
from tests.servers.s3 import KEYS, S3Server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def s3_server(servers: Path) -> AsyncIterator[S3Server]:
    server = S3Server(servers / "s3")
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(params=["folder", "s3", "s3 under a prefix"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, s3_server: S3Server) -> AsyncIterator[EvidenceStore]:
    """An empty store of each kind."""
    if request.param == "folder":
        yield FolderStore(tmp_path / "evidence")
        return
    bucket = f"evidence-{uuid4()}"
    await asyncio.to_thread(s3_server.make_bucket, bucket)
    made = S3Store(bucket, endpoint_url=s3_server.url, prefix="/parakeet/" if "prefix" in request.param else "", **KEYS)
    yield made
    await made.close()


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
