"""RabbitMQ for tests: a broker of our own beside any that the machine runs, with its own Erlang name server."""

import asyncio
import os
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

from services.embedded.process import LOOPBACK, free_port
from tests.servers.process import answer, server_process

# The Debian wrapper in sbin switches users and hides the server behind two shells; these do not.
SCRIPTS = Path("/usr/lib/rabbitmq/bin")
USER = PASSWORD = "guest"  # RabbitMQ's own, from loopback only


class RabbitMQ:
    """One broker with the management API. The ports and the data survive `kill` and `restart`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.port, self.management_port = free_port(), free_port()
        self.name_server_port, self._distribution_port = free_port(), free_port()
        self.node = f"parakeet{self.port}@localhost"
        self._name_server = server_process(
            "epmd", [_epmd(), "-port", str(self.name_server_port), "-address", LOOPBACK], self.folder
        )
        self._broker = server_process("rabbitmq", [str(SCRIPTS / "rabbitmq-server")], self.folder, self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """What `rabbitmqctl` needs to find this broker."""
        return {
            "HOME": str(self.folder),  # the secret that nodes and tools share lies there
            "ERL_EPMD_PORT": str(self.name_server_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            # Makes the script become the server instead of waiting for it, so the process id we know is the broker's.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput +B i -kernel inet_dist_use_interface {127,0,0,1}",
        }

    @property
    def pid(self) -> int:
        return self._broker.pid

    @property
    def running(self) -> bool:
        return self._broker.running

    def url(self, vhost: str = "/") -> str:
        return f"amqp://{USER}:{PASSWORD}@{LOOPBACK}:{self.port}/{quote(vhost, safe='')}"

    async def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"management.tcp.ip = {LOOPBACK}\n"
            f"management.tcp.port = {self.management_port}\n"
            "collect_statistics_interval = 1000\n"
            # The alarm for a full disk would stop all publishers on a small machine.
            "disk_free_limit.absolute = 50MB\n"
        )
        if not self._name_server.running:
            await self._name_server.start(self._name_server_ready)
        await self._broker.start(self._broker_ready, timeout_seconds=90)
        # The listener is open a little before the broker is complete, and before its queues have leaders.
        await self.ctl("await_startup")

    async def stop(self) -> None:
        """Orderly, as `rabbitmqctl stop` does it."""
        await self._broker.stop()
        await self._name_server.stop()

    async def settle(self) -> None:
        """Have the broker write down which queues it has, as it does by itself after three quiet minutes.

        A quorum queue of RabbitMQ 3.10 that is younger when the broker is killed keeps its messages, but comes back
        without knowing that it is to elect a leader, and leaves whoever consumes from it without an answer.
        """
        await self.ctl("eval", "[dets:sync(Table) || Table <- dets:all()].")

    async def kill(self) -> None:
        """End it at once. Call `settle` before, unless the queues that were just declared are to be hurt."""
        await self._broker.kill()

    async def restart(self) -> None:
        await self._broker.stop()
        await self.start()

    async def wipe(self) -> None:
        """Lose everything: kill the broker, delete its data, and start it again. Virtual hosts are gone too."""
        await self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        await self.start()

    async def create_vhost(self, name: str | None = None) -> str:
        """Returns the URL of a new virtual host."""
        name = name or f"test-{uuid.uuid4().hex[:12]}"
        await self.api("PUT", f"vhosts/{quote(name, safe='')}", {})
        return self.url(name)

    async def delete_vhost(self, url: str) -> None:
        await self.api("DELETE", f"vhosts/{url.rpartition('/')[2]}")

    async def api(self, method: str, path: str, body: object = None) -> Any:
        """The management API, such as `api("GET", "queues/<vhost>")`; its counts are up to a second old."""
        return await answer(self._api_url(path), user=USER, password=PASSWORD, method=method, body=body)

    async def ctl(self, *arguments: str) -> str:
        """`rabbitmqctl` on this broker; takes a second or more."""
        process = await asyncio.create_subprocess_exec(
            str(SCRIPTS / "rabbitmqctl"),
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.environment},
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(arguments)}: {output.decode(errors='replace')}")
        return output.decode()

    def _api_url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.management_port}/api/{path}"

    async def _name_server_ready(self) -> bool:
        return await _accepts(self.name_server_port)

    async def _broker_ready(self) -> bool:
        """The AMQP listener is opened near the end; before that, the management API does not know it."""
        if not await _accepts(self.management_port):
            return False
        health = await answer(
            self._api_url(f"health/checks/port-listener/{self.port}"), user=USER, password=PASSWORD, raise_status=False
        )
        return isinstance(health, dict) and health.get("status") == "ok"


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


def _epmd() -> str:
    found = shutil.which("epmd") or next((str(path) for path in Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), None)
    if found is None:
        raise RuntimeError("RabbitMQ is not installed; run: python -m tests.servers.install")
    return found
