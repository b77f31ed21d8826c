"""Ctrl-C ends the process although pages are open."""

import asyncio
import os
import signal
import sys

import httpx
import pytest
from cryptography.fernet import Fernet

from services.embedded.process import LOOPBACK, free_port
from tests.patience import PATIENCE_SECONDS, PLAIN_HTTP
from tests.servers.process import ROOT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_streams_end_and_the_server_does_not_have_to_cut_them_off(
    database_url: str, number: signal.Signals
) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "PARAKEET_DATABASE_URL": database_url,
        "PARAKEET_SECRET_KEYS": Fernet.generate_key().decode(),
        "PARAKEET_AUTH": "off",
        "PARAKEET_PORT": str(port),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.api",
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        url = f"http://{LOOPBACK}:{port}"
        async with asyncio.timeout(PATIENCE_SECONDS), httpx.AsyncClient(base_url=url, **PLAIN_HTTP) as client:
            async for line in process.stdout:
                if b"running on" in line:
                    break
            async with client.stream("GET", "/events") as stream:
                lines = stream.aiter_lines()
                while not (await anext(lines)).startswith("event"):
                    pass
                process.send_signal(number)
                assert [line async for line in lines if line.startswith("event")] == []
            rest = await process.stdout.read()
            await process.wait()
        assert b"graceful shutdown exceeded" not in rest
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
