"""How long the tests wait for what has to come: only what hangs, on whatever machine, should reach it."""

from typing import Any

PATIENCE_SECONDS = 150.0
# For httpx, where an address is plain HTTP: to read the trusted certificates takes 40 ms of processor for each client.
PLAIN_HTTP: dict[str, Any] = {"verify": False, "timeout": PATIENCE_SECONDS}
