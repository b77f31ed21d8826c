"""A picture at the end of each step, taken while the check goes on, kept or forgotten when its verdict is known."""

import asyncio
import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace

from selenium.common.exceptions import UnexpectedAlertPresentException, WebDriverException
from selenium.webdriver import Remote

from services.runner.browser.attempt import Evidence, Step
from services.runner.browser.connection import ConnectionTrouble
from services.runner.browser.devtools.authentication import DevToolsSilent
from services.runner.browser.devtools.socket import DevTools
from services.runner.browser.pictures.camera import NotHidden, take_jpeg, take_png
from services.runner.masking import Mask

_PICTURE_SECONDS = 1.0
_MOST_BYTES = 6 * 1024 * 1024
_MOST_BYTES_EACH = 1024 * 1024


class StepPictures:
    """Of one check. Policy `always`, `on_failure` (kept when the check does not pass) or `never`.

    The picture of a step is begun when the next one begins, since what the last one leaves is kept anyway. With
    DevTools it is taken beside the check, which waits for it only before it clicks in or leaves the page. A page that
    nothing has happened to is worth another picture with `always` only; so is, without DevTools, a stop of the check.
    """

    def __init__(self, policy: str, driver: Remote, devtools: DevTools | None, mask: Mask) -> None:
        self._policy = policy
        self._wanted = policy == "always" or (policy == "on_failure" and devtools is not None)
        self._driver = driver
        self._devtools = devtools
        self._mask = mask
        self._due: int | None = None
        self._pending: tuple[int, Future[bytes]] | None = None
        self._taken: dict[int, bytes] = {}
        self._changed, self._heard = True, 0
        self._changed_since = threading.Event()

    def step_ended(self, number: int) -> None:
        """The step with this number, counted from 1, has done what it was to do."""
        self._due = number

    def step_begins(self, seconds_left: float) -> None:
        """Raises UnexpectedAlertPresentException alone, whose dialog is gone with it."""
        number, self._due = self._due, None
        if number is None or not self._wanted or seconds_left < _PICTURE_SECONDS or not self._worth_it():
            return
        self.settle()
        try:
            if self._devtools is None:
                self._keep(number, take_png(self._driver, self._mask))
                return
            target = None if self._devtools.only_page() else self._driver.current_window_handle
        except UnexpectedAlertPresentException:
            raise
        except (WebDriverException, ConnectionTrouble, NotHidden):
            return
        self._changed_since = changed = threading.Event()
        taking = take_jpeg(self._devtools, target, self._mask, _PICTURE_SECONDS, lambda: not changed.is_set())
        self._pending = number, asyncio.run_coroutine_threadsafe(taking, self._devtools.loop)

    def before_change(self, typing: bool) -> None:
        """What is typed spoils a picture under way, if it comes to that; the page will still be there in the next."""
        self._changed = True
        self._changed_since.set()
        if not typing or self._policy == "always":
            self.settle()

    def _worth_it(self) -> bool:
        heard = self._devtools.network.heard if self._devtools is not None else 0
        changed, self._changed = self._changed or heard != self._heard, False
        self._heard = heard
        return changed or self._policy == "always"

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
        self, passed: bool, steps: Sequence[Step], prefix: str, ended: int, final: str | None
    ) -> tuple[list[Evidence], list[Step]]:
        """What goes into the evidence, and the steps with the names of their pictures.

        The step that the check `ended` with, by its number, has none of its own: what it left, or broke on, is the
        `final` one.
        """
        if passed and self._policy != "always":
            return [], list(steps)
        names = {number: f"{prefix}step-{number:02}-{_slug(steps[number - 1].name)}" for number in self._taken}
        kind = ("jpg", "image/jpeg") if self._devtools is not None else ("png", "image/png")
        names = {number: f"{name}.{kind[0]}" for number, name in names.items()}
        pieces = [Evidence(names[number], kind[1], content) for number, content in self._taken.items()]
        if final is not None and self._policy != "never":
            names[ended] = final
        return pieces, [replace(step, evidence=names.get(number)) for number, step in enumerate(steps, 1)]

    def _keep(self, number: int, picture: bytes) -> None:
        if len(picture) > _MOST_BYTES_EACH:
            return
        self._taken[number] = picture
        while sum(map(len, self._taken.values())) > _MOST_BYTES:
            del self._taken[next(iter(self._taken))]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "step"
