"""Evidence in a bucket of an S3-compatible store, by its maker's own client, whose calls block: each runs in a thread.

The client is imported only here, since only who sets `PARAKEET_EVIDENCE_STORE=s3` needs it installed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.evidence_store.place import Place, StoreUnavailable

T = TypeVar("T")

_CONNECT_SECONDS = 3.0
_READ_SECONDS = 5.0
_THREADS = 8
_MISSING = ("NoSuchKey", "404")


class S3Store:
    """Objects `prefix/day/job/attempt/name` of one bucket. None for what the client finds out by itself."""

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="evidence")
        self._client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"total_max_attempts": 2, "mode": "standard"},
                max_pool_connections=_THREADS,
                # Other makers' stores know buckets by their path, and not each of the newer checksums.
                s3={"addressing_style": "path"} if endpoint_url else {},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    async def write(self, place: Place, name: str, content: bytes) -> None:
        key = self._prefix + place.file(name)
        await self._call(lambda: self._client.put_object(Bucket=self._bucket, Key=key, Body=content))

    async def read(self, place: Place, name: str) -> bytes:
        key = self._prefix + place.file(name)
        content: bytes = await self._call(lambda: self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        return content

    async def delete(self, place: Place) -> None:
        await self._call(lambda: self._delete(f"{self._prefix}{place.path}/"))

    async def days(self) -> AsyncIterator[date]:
        for name in await self._call(lambda: list(self._folders(self._prefix))):
            with suppress(ValueError):
                yield date.fromisoformat(name)

    async def places(self, day: date) -> AsyncIterator[Place]:
        above = f"{self._prefix}{day.isoformat()}/"
        seen: Place | None = None
        async for key in self._keys(above):
            place = Place.parse(key.removeprefix(self._prefix))
            # The keys come in order, so those of one place stand together.
            if place is not None and place != seen:
                yield place
            seen = place

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if code in _MISSING:
                raise FileNotFoundError("no such evidence") from None
            raise StoreUnavailable(f"the evidence store answered {code}") from None
        except BotoCoreError as error:
            raise StoreUnavailable(f"the evidence store: {type(error).__name__}") from None

    def _delete(self, prefix: str) -> None:
        for page in self._pages(Prefix=prefix):
            objects = [{"Key": each["Key"]} for each in page.get("Contents", ())]
            if not objects:
                continue
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise StoreUnavailable(f"the evidence store kept {len(answer['Errors'])} objects")

    def _folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            for each in page.get("CommonPrefixes", ()):
                yield each["Prefix"].removeprefix(prefix).rstrip("/")

    def _pages(self, **asked: str) -> Iterator[dict[str, Any]]:
        return iter(self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, **asked))

    async def _keys(self, prefix: str) -> AsyncIterator[str]:
        pages = self._pages(Prefix=prefix)
        while (page := await self._call(lambda: next(pages, None))) is not None:
            for each in page.get("Contents", ()):
                yield each["Key"]
