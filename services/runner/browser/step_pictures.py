"""A picture at the end of each step, taken while the check goes on, kept or forgotten when its verdict is known."""

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Remote

from services.runner.browser.attempt import Evidence, Step
from services.runner.browser.camera import NotHidden, take_jpeg, take_png
from services.runner.browser.connection import ConnectionTrouble
from services.runner.browser.devtools import DevTools, DevToolsSilent
from services.runner.masking import Mask

_PICTURE_SECONDS = 1.0
_MOST_BYTES = 6 * 1024 * 1024
_MOST_BYTES_EACH = 1024 * 1024


class StepPictures:
    """Of one check. Policy `always`, `on_failure` (kept when the check does not pass) or `never`.

    With DevTools a picture is taken beside the check, which waits for it only before it changes the page: `settle`.
    Without, a picture stops the check for a moment, so only `always` takes any. Beyond the limit the earliest go.
    """

    def __init__(self, policy: str, driver: Remote, devtools: DevTools | None, mask: Mask) -> None:
        self._wanted = policy == "always" or (policy == "on_failure" and devtools is not None)
        self._policy = policy
        self._driver = driver
        self._devtools = devtools
        self._mask = mask
        self._pending: tuple[int, Future[bytes]] | None = None
        self._taken: dict[int, bytes] = {}

    def take(self, number: int, seconds_left: float) -> None:
        """Of the step with this number, counted from 1. Never raises."""
        if not self._wanted or seconds_left < _PICTURE_SECONDS:
            return
        self.settle()
        try:
            if self._devtools is None:
                self._keep(number, take_png(self._driver, self._mask))
                return
            target = None if self._devtools.only_page() else self._driver.current_window_handle
        except (WebDriverException, ConnectionTrouble, NotHidden):
            return
        taking = take_jpeg(self._devtools, target, self._mask, _PICTURE_SECONDS)
        self._pending = number, asyncio.run_coroutine_threadsafe(taking, self._devtools.loop)

    def settle(self) -> None:
        """Waits for the picture under way. A browser that gives none in time is not asked again."""
        if self._pending is None:
            return
        (number, picture), self._pending = self._pending, None
        try:
            self._keep(number, picture.result(_PICTURE_SECONDS * 2))
        except NotHidden:
            pass
        except (DevToolsSilent, FutureTimeout):
            self._wanted = False

    def kept(
        self, passed: bool, steps: Sequence[Step], prefix: str, final: str | None
    ) -> tuple[list[Evidence], list[Step]]:
        """What goes into the evidence, and the steps with the names of their pictures.

        A step that broke off has none of its own: what it broke on is the `final` one.
        """
        if passed and self._policy != "always":
            return [], list(steps)
        names = {number: f"{prefix}step-{number:02}-{_slug(steps[number - 1].name)}" for number in self._taken}
        kind = ("jpg", "image/jpeg") if self._devtools is not None else ("png", "image/png")
        names = {number: f"{name}.{kind[0]}" for number, name in names.items()}
        pieces = [Evidence(names[number], kind[1], content) for number, content in self._taken.items()]
        broken = final if self._policy != "never" else None
        return pieces, [
            replace(step, evidence=names.get(number) or (None if step.ok else broken))
            for number, step in enumerate(steps, 1)
        ]

    def _keep(self, number: int, picture: bytes) -> None:
        if len(picture) > _MOST_BYTES_EACH:
            return
        self._taken[number] = picture
        while sum(map(len, self._taken.values())) > _MOST_BYTES:
            del self._taken[next(iter(self._taken))]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "step"
