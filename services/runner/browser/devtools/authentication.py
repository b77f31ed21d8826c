"""Answers a site's question for a name and a password by HTTP authentication, through the DevTools socket.

The credentials travel from our memory to the browser's; they are in no address, no header that we hear, and no log.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any


class DevToolsSilent(Exception):
    """The browser did not answer a DevTools command, or its socket is closed."""


class Authentication:
    """Holds one log-in for one origin (`https://shop.example`). It is given once per request: a site that asks again
    for the same request has refused it.
    """

    def __init__(
        self, call: Callable[..., Awaitable[dict[str, Any]]], origin: str, username: str, password: str
    ) -> None:
        self._call = call
        self._origin = origin
        self._log_in = {"username": username, "password": password}
        self._asked: set[str] = set()

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
        if request in self._asked or challenge.get("origin") != self._origin:
            return {"response": "CancelAuth"}
        self._asked.add(request)
        return {"response": "ProvideCredentials", **self._log_in}
