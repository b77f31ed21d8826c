"""What is typed: starting the API, and looking after keys."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from services.api.__main__ import main
from tests.api.conftest import Service
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


async def run(module: str, *arguments: str, **settings: str) -> tuple[int, str]:
    """The exit code and everything that was printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARAKEET_")}
    environment |= {f"PARAKEET_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@dataclass(frozen=True, slots=True)
class Start:
    """A start of the API that its settings forbid, in this process: another takes seconds to load it."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def refused(self, **settings: str) -> str:
        """What it printed."""
        for name in [name for name in os.environ if name.startswith("PARAKEET_")]:
            self.monkeypatch.delenv(name)
        for name, value in settings.items():
            self.monkeypatch.setenv(f"PARAKEET_{name.upper()}", value)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return "".join(self.capsys.readouterr())


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Start:
    return Start(monkeypatch, capsys)


async def test_a_start_that_is_refused_says_why() -> None:
    code, output = await run("services.api", database_url="postgresql://localhost/x")
    assert (code, output.count("\n")) == (2, 1), output
    assert "PARAKEET_SECRET_KEYS" in output


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_without_authentication_it_listens_on_loopback_only(start: Start, host: str) -> None:
    secret = Fernet.generate_key().decode()
    output = start.refused(auth="off", host=host, database_url="postgresql://localhost/x", secret_keys=secret)
    assert "loopback" in output
    assert host in output


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({}, "PARAKEET_DATABASE_URL"),
        ({"database_url": "postgresql://localhost/x"}, "PARAKEET_SECRET_KEYS"),
        ({"database_url": "postgresql://localhost/x", "secret_keys": "hunter2"}, "Fernet"),
        ({"database_url": "mysql://root:hunter2@localhost/x"}, "PARAKEET_DATABASE_URL"),
    ],
)
def test_what_is_missing_is_named(start: Start, settings: dict[str, str], word: str) -> None:
    output = start.refused(**settings)
    assert word in output
    assert "hunter2" not in output


async def test_a_key_is_made_listed_used_and_revoked(service: Service) -> None:
    url = service.settings.database_url
    code, output = await run("services.api.keys", "create", "--name", "ops", "--scope", "write", database_url=url)
    assert code == 0, output
    key = output.strip()
    async with service.client(key) as client:
        assert (await client.get("/api/v1/partners")).status_code == 200
        code, output = await run("services.api.keys", "list", database_url=url)
        assert "ops\twrite" in output
        assert key not in output
        assert (await run("services.api.keys", "revoke", "--name", "ops", database_url=url))[0] == 0
        assert (await client.get("/api/v1/partners")).status_code == 401
    assert (await run("services.api.keys", "revoke", "--name", "ops", database_url=url))[0] == 1
    assert (await run("services.api.keys", "create", "--name", "ops", "--scope", "read", database_url=url))[0] == 2


async def test_secrets_are_rotated(service: Service) -> None:
    keys = f"{Fernet.generate_key().decode()},{service.settings.keys()[0]}"
    code, output = await run(
        "services.api.keys", "rotate-secrets", database_url=service.settings.database_url, secret_keys=keys
    )
    assert (code, output) == (0, "0 partners and jobs now use the first key.\n")
