"""A store that speaks the S3 protocol, as a process of its own."""

import sys
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import aiohttp
import boto3

from services.embedded.process import LOOPBACK, free_port
from tests.servers.process import server_process

KEYS = {"access_key": "test-access", "secret_key": "test-secret", "region": "eu-central-1"}


class S3Server:
    """Starts empty; what it holds is in its memory."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(self.port)]
        self._process = server_process("s3", command, folder)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @cached_property
    def _client(self) -> Any:
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            region_name=KEYS["region"],
            aws_access_key_id=KEYS["access_key"],
            aws_secret_access_key=KEYS["secret_key"],
        )

    async def start(self) -> None:
        await self._process.start(self._ready)

    async def stop(self) -> None:
        self._client.close()
        await self._process.stop()

    def make_bucket(self, name: str) -> None:
        self._client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": KEYS["region"]})

    async def _ready(self) -> bool:
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as client, client.get(f"{self.url}/moto-api/data.json") as answer:
                return answer.status == 200
        return False
