"""The embedded parts start, keep their data, and leave nothing behind, however they end."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
import redis.asyncio
from selenium.webdriver import ChromeOptions, Remote

from services.embedded import Parts, embedded_parts
from services.embedded.parts import DataFolderInUse
from services.embedded.postgres import Postgres
from tests.servers.process import ROOT

# What a program of ours does: starts the parts, opens a browser, and works until it is ended.
PROGRAM = """
import asyncio, signal, sys
from pathlib import Path
from services.embedded import embedded_parts
from tests.embedded.test_parts import open_browser

# What a shell starts in the background ignores Ctrl-C, and so does all that it starts in turn.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main() -> None:
    async with embedded_parts(Path(sys.argv[1])) as parts:
        await asyncio.to_thread(open_browser, parts.webdriver_url)
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def open_browser(webdriver_url: str) -> Remote:
    options = ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(flag)
    return Remote(webdriver_url, options=options)


def plain(url: str) -> str:
    return url.replace("+asyncpg", "")


def processes_of(data_dir: Path) -> list[str]:
    """The command lines of what works in or was started for this data folder, also if its parent is gone."""
    lines: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = (
                f"{command} {(entry / 'cwd').readlink()} {(entry / 'environ').read_bytes().decode(errors='replace')}"
            )
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and int(entry.name) != os.getpid() and (str(data_dir) in place or marker(data_dir) in place):
            lines.append(command)
    return lines


def marker(data_dir: Path) -> str:
    """Set in the environment of our program, and so in that of everything it starts."""
    return f"PARAKEET_TEST_FOLDER={data_dir}"


@contextmanager
def started_program(data_dir: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(data_dir)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env={**os.environ, "PARAKEET_TEST_FOLDER": str(data_dir)},
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


async def until_gone(data_dir: Path) -> None:
    while processes_of(data_dir):
        await asyncio.sleep(0.02)


@pytest.fixture
def data_dir(servers: Path, tmp_path: Path) -> Path:
    return servers / f"embedded-{tmp_path.name}"


@pytest_asyncio.fixture
async def parts(data_dir: Path) -> AsyncIterator[Parts]:
    async with embedded_parts(data_dir) as started:
        yield started


async def test_everything_answers(parts: Parts) -> None:
    connection = await asyncpg.connect(plain(parts.database_url))
    assert await connection.fetchval("SHOW server_version_num") >= "180000"
    await connection.close()
    async with redis.asyncio.from_url(parts.redis_url) as client:
        assert await client.ping()
    browser = await asyncio.to_thread(open_browser, parts.webdriver_url)
    await asyncio.to_thread(browser.quit)


async def test_nobody_gets_in_without_the_password(parts: Parts) -> None:
    user, rest = plain(parts.database_url).rsplit(":", 2)[0], parts.database_url.rpartition("@")[2]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"{user}:wrong@{rest}")
    async with redis.asyncio.from_url(f"redis://{parts.redis_url.rpartition('@')[2]}") as client:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.get("key")


async def test_data_is_kept_over_a_restart_and_nothing_runs_in_between(data_dir: Path) -> None:
    async with embedded_parts(data_dir, webdriver_url="http://given") as parts:
        connection = await asyncpg.connect(plain(parts.database_url))
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
        async with redis.asyncio.from_url(parts.redis_url) as client:
            await client.set("kept", "42")
    assert processes_of(data_dir) == []
    async with embedded_parts(data_dir, webdriver_url="http://given") as parts:
        connection = await asyncpg.connect(plain(parts.database_url))
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()
        async with redis.asyncio.from_url(parts.redis_url) as client:
            assert await client.get("kept") == b"42"


async def test_what_is_given_is_not_started(data_dir: Path) -> None:
    given = Parts("postgresql+asyncpg://given", "redis://given", "http://given")
    async with embedded_parts(
        data_dir, database_url=given.database_url, redis_url=given.redis_url, webdriver_url=given.webdriver_url
    ) as parts:
        assert parts == given
        assert processes_of(data_dir) == []


async def test_a_second_one_on_the_same_folder_is_refused(data_dir: Path, parts: Parts) -> None:
    with pytest.raises(DataFolderInUse):
        async with embedded_parts(data_dir):
            pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
async def test_nothing_is_left_when_the_program_is_ended(data_dir: Path, number: signal.Signals) -> None:
    """After kill -9 the servers follow by themselves, but the browsers only at the next start."""
    with started_program(data_dir) as program:
        assert any("chromium" in command for command in processes_of(data_dir))
        program.send_signal(number)
        await asyncio.to_thread(program.wait, 60)
    if number is signal.SIGKILL:
        async with embedded_parts(data_dir) as parts:
            connection = await asyncpg.connect(plain(parts.database_url))
            await connection.close()
            assert not any("chromium" in command for command in processes_of(data_dir))
    await until_gone(data_dir)


async def test_postgres_starts_although_its_lock_file_names_a_process_that_lives(data_dir: Path) -> None:
    postgres = Postgres(data_dir)
    await postgres.start()
    await postgres.kill()
    lock = postgres.data / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{postgres.data}\n1\n{postgres.port}\n\n127.0.0.1\n\nready\n")
    await postgres.start()
    connection = await asyncpg.connect(plain(postgres.url()))
    await connection.close()
    await postgres.stop()
