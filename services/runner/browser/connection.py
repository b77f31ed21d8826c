"""The wire to a WebDriver end: one socket per session, an absolute deadline on every command, and an abort.

Selenium's own connection has no timeout by default, retries silently, obeys proxies of the environment and logs what is
typed; this one does none of that.
"""

import json
import socket
import ssl
import string
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from selenium.webdriver.remote.client_config import ClientConfig
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.remote_connection import RemoteConnection

_CONNECT_SECONDS = 5.0
# Commands that change what the page shows. Scripts do not count: ours look, or answer a consent dialog.
_CHANGING = {
    Command.GET,
    Command.REFRESH,
    Command.GO_BACK,
    Command.GO_FORWARD,
    Command.CLICK_ELEMENT,
    Command.W3C_ACTIONS,
}
_TYPING = {Command.CLEAR_ELEMENT, Command.SEND_KEYS_TO_ELEMENT}


class ConnectionTrouble(Exception):
    """A command got no answer: `Unreachable`, `DeadlineOver` or `Aborted`."""


class Unreachable(ConnectionTrouble):
    """The WebDriver end refused or broke the connection."""


class DeadlineOver(ConnectionTrouble):
    """The WebDriver end did not answer before the deadline."""


class Aborted(ConnectionTrouble):
    """`abort` was called."""


def split_userinfo(url: str) -> tuple[str, dict[str, str]]:
    """The URL without user name and password, and the header that stands for them."""
    parts = urlsplit(url)
    if parts.username is None:
        return url.rstrip("/"), {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return urlunsplit(bare).rstrip("/"), {"Authorization": "Basic " + b64encode(login.encode()).decode()}


class DeadlineConnection(RemoteConnection):
    """One thread sends commands; any thread may move `deadline` (on time.monotonic) or call `abort`.

    `before_change` is called before each command that changes what the page shows; True: it only types.
    """

    def __init__(self, webdriver_url: str, deadline: float) -> None:
        self._address, authorization = split_userinfo(webdriver_url)
        config = ClientConfig(remote_server_addr=self._address, keep_alive=False)
        super().__init__(client_config=config, ignore_proxy=True)
        self.deadline = deadline
        self.before_change: Callable[[bool], None] = lambda typing: None
        self.stuck = False  # the driver still works on a command that got no answer
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/json; charset=utf-8",
            **authorization,
        }
        self._parts: SplitResult = urlsplit(self._address)
        self._http: HTTPConnection | None = None
        self._lock = threading.Lock()
        self._aborted = False

    def execute(self, command: str, params: dict[str, Any]) -> dict[str, Any]:
        """Sends one command and returns the driver's answer in the form selenium's error handler expects."""
        if command in _CHANGING or command in _TYPING:
            self.before_change(command in _TYPING)
        method, template = self._commands[command]
        path = string.Template(template).substitute(params)
        in_path = {word[1:] for word in template.split("/") if word.startswith("$")}
        body = json.dumps({key: value for key, value in params.items() if key not in in_path})
        status, text = self._exchange(method, self._parts.path + path, body if method == "POST" else None)
        if status == 401:
            return {"status": status, "value": "Authorization Required"}
        if status >= 400:
            return {"status": status, "value": text.strip() or f"HTTP {status}"}
        try:
            answer = json.loads(text)
        except ValueError:
            return {"status": 500, "value": f"not a WebDriver answer: {text.strip()[:200]}"}
        if not isinstance(answer, dict):
            return {"status": 500, "value": f"not a WebDriver answer: {text.strip()[:200]}"}
        answer.setdefault("value", None)
        return answer

    @property
    def usable(self) -> bool:
        """Whether a command that is sent now may be answered."""
        return not (self._aborted or self.stuck)

    def abort(self) -> None:
        """Ends the command under way, and every later one, with `Aborted`."""
        with self._lock:
            self._aborted = True
            if self._http is not None and self._http.sock is not None:
                with suppress(OSError):  # it was closed already
                    self._http.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._http is not None:
            self._http.close()

    def _exchange(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        try:
            http = self._connected()
            http.request(method, path, body=body.encode() if body is not None else None, headers=self._headers)
            response = http.getresponse()
            return response.status, response.read().decode("utf-8", errors="replace")
        except (OSError, HTTPException) as error:
            self.close()
            if self._aborted:
                raise Aborted("the command was aborted") from error
            self.stuck = True
            if isinstance(error, TimeoutError) and self._left() <= 0.01:
                raise DeadlineOver("no answer before the deadline") from error
            raise Unreachable(f"{self._parts.netloc}: {error or type(error).__name__}") from error

    def _connected(self) -> HTTPConnection:
        left = self._left()
        if left <= 0:
            raise DeadlineOver("the deadline has passed")
        with self._lock:
            http = self._http
            if http is None:
                http = self._http = self._new_connection()
        if http.sock is None:
            http.timeout = min(left, _CONNECT_SECONDS)
            http.connect()
        with self._lock:
            if self._aborted or http.sock is None:
                raise Aborted("the command was aborted")
            http.sock.settimeout(self._left() if self._left() > 0 else 0.01)
        return http

    def _new_connection(self) -> HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return HTTPSConnection(host, port, context=ssl.create_default_context())
        return HTTPConnection(host, port)

    def _left(self) -> float:
        return self.deadline - time.monotonic()
