"""Answers a site's question for a name and a password by HTTP authentication, through the DevTools socket.

The credentials travel from our memory to the browser's; they are in no address, no header that we hear, and no log.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit


class DevToolsSilent(Exception):
    """The browser did not answer a DevTools command, or its socket is closed."""


class Authentication:
    """Holds one log-in for one origin (`https://shop.example`), or none. It is given once per request: a site that asks
    again for the same request has refused it.
    """

    def __init__(
        self,
        call: Callable[..., Awaitable[dict[str, Any]]],
        origin: str | None = None,
        username: str = "",
        password: str = "",
    ) -> None:
        self._call = call
        self._origin = origin
        self._log_in = {"username": username, "password": password}
        self._asked: set[str] = set()

    @property
    def given(self) -> bool:
        """Whether a site was told the log-in at all."""
        return bool(self._asked)

    async def take(self, method: str, params: Mapping[str, Any], session: str) -> None:
        """One event of the browser's Fetch domain, which holds a request until it is answered."""
        request = params["requestId"]
        with suppress(DevToolsSilent):
            if method == "Fetch.requestPaused":
                await self._call("Fetch.continueRequest", session=session, requestId=request)
            elif method == "Fetch.authRequired":
                answer = self._answer(request, params["authChallenge"])
                await self._call(
                    "Fetch.continueWithAuth", session=session, requestId=request, authChallengeResponse=answer
                )

    def _answer(self, request: str, challenge: Mapping[str, Any]) -> dict[str, str]:
        if challenge.get("source") == "Proxy":
            return {"response": "Default"}
        if self._origin is None or request in self._asked or challenge.get("origin") != self._origin:
            return {"response": "CancelAuth"}
        self._asked.add(request)
        return {"response": "ProvideCredentials", **self._log_in}


def origin_to_answer(entry_point: str, asked: str) -> str | None:
    """The origin of the page that asked, when it is the entry point's or where its own site leads from there: with or
    without `www.`, by TLS now. Else None: nobody stored a log-in for it. Both addresses as the browser writes them."""
    begun, came_to = urlsplit(entry_point), urlsplit(asked)
    same_host = _plain(begun) == _plain(came_to)
    upgraded = (begun.scheme, came_to.scheme) == ("http", "https")
    if not same_host or not (upgraded or (begun.scheme, begun.port) == (came_to.scheme, came_to.port)):
        return None
    return f"{came_to.scheme}://{came_to.netloc.rpartition('@')[2]}"


def _plain(address: SplitResult) -> str:
    return (address.hostname or "").removeprefix("www.")
