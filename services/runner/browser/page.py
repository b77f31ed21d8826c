"""The page as a check sees it: blocking calls, made in the attempt's thread, that end when the soft deadline does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from selenium.common.exceptions import JavascriptException, StaleElementReferenceException, WebDriverException
from selenium.webdriver import Remote

from services.runner.browser.attempt import BrowserTask, Step
from services.runner.browser.devtools import DevTools
from services.runner.browser.failures import PageTrouble
from services.runner.browser.network_log import Exchange
from services.runner.browser.step_pictures import StepPictures
from services.runner.masking import Mask
from shared.domain.evidence import Facts, TimedOut

T = TypeVar("T")

_POLL_SECONDS = 0.1
_ASK_AGAIN = """
    const done = arguments[arguments.length - 1];
    fetch(location.href, {cache: "no-store"}).then((answer) => done(answer.status), () => done(0));
"""
_MOST_CONSOLE_ERRORS = 50
_STATE = Path(__file__).with_name("page_state.js").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class PageState:
    """What one look at the page shows; field by field as `page_state.js` returns it."""

    url: str
    status: int
    complete: bool
    error_page: bool
    error_code: str
    refusals: tuple[str, ...]
    notices: tuple[str, ...]
    welcomes: bool
    captcha: bool
    asks_code: bool
    text_length: int


@dataclass(slots=True)
class Clock:
    """The time of one check, in seconds since its start; `over` is set at the soft deadline."""

    limit: float
    soft: float
    started: float = field(default_factory=time.monotonic)
    over: threading.Event = field(default_factory=threading.Event)

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def left(self) -> float:
        return 0.0 if self.over.is_set() else self.soft - self.elapsed()


class Page:
    """One browser window under a clock. Every method may raise PageTrouble, or what selenium raises."""

    def __init__(self, driver: Remote, devtools: DevTools | None, clock: Clock, mask: Mask, task: BrowserTask) -> None:
        self.driver = driver
        self.clock = clock
        self.mask = mask
        self.steps: list[Step] = []
        self.asked = ""
        self.loading = False
        self.devtools = devtools
        self.pictures = StepPictures(task.step_screenshots, driver, devtools, mask)
        self.patience = task.patience_seconds
        self._slow_after = task.slow_after_seconds

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Records what is done inside; append to the list what the reader should know."""
        self.learn_tokens()
        self.pictures.step_begins(self.clock.left())
        offset, detail, ok = self.clock.elapsed(), list[str](), False
        try:
            yield detail
            ok = True
        finally:
            took = self.clock.elapsed() - offset
            self.steps.append(Step(name, offset, took, ok, self.mask.beginning(" ".join(detail), 300)))
            if ok:
                self.pictures.step_ended(len(self.steps))

    def open(self, url: str) -> PageState:
        """Loads a page; a network error or the end of the time raises PageTrouble, a bad HTTP status does not."""
        self.asked = url
        with self.waiting_for_page():
            self.driver.get(url)
        if self.clock.left() <= 0:
            raise PageTrouble(timed_out=self.waits_for())
        state = self.state()
        if state.status or self.hears_network():
            return state
        return replace(state, status=self._status_by_asking_again())

    @contextmanager
    def waiting_for_page(self) -> Iterator[None]:
        """Around every command that may load a page, so that it can be bounded, and told apart when it hangs."""
        self.check_time()
        # Half a second more than we have: the event loop's stop at the deadline leaves the page in a better state.
        self.driver.set_page_load_timeout(max(self.clock.left(), 0.1) + 0.5)
        self.loading = True
        yield
        self.loading = False

    def state(self) -> PageState:
        """One look at the page. Raises PageTrouble when it is the browser's own error page."""
        self.check_time()
        read = self.driver.execute_script(_STATE)
        read |= {name: tuple(read[name]) for name in ("refusals", "notices")}
        state = PageState(**read)
        if state.error_page and not (state.status >= 400):
            raise PageTrouble(net_error=self._net_error(state))
        return state

    def poll(self, look: Callable[[], T | None], seconds: float) -> T | None:
        """The first thing `look` finds within the seconds; elements that go stale meanwhile are looked up again."""
        until = time.monotonic() + seconds
        while True:
            self.check_time()
            try:
                found = look()
            except (StaleElementReferenceException, JavascriptException):
                found = None  # the page is being replaced under us
            if found is not None or time.monotonic() >= until:
                return found
            self.clock.over.wait(_POLL_SECONDS)

    def check_time(self) -> None:
        if self.clock.left() <= 0:
            raise PageTrouble(timed_out=self.waits_for())

    def waits_for(self) -> TimedOut:
        """What is under way. A document whose request never got onto a connection waits for the connection."""
        documents = [exchange for exchange in self.exchanges() if exchange.main_document]
        # A load that we stopped ends with an error of its own.
        pending = bool(documents) and (not documents[-1].ended or documents[-1].error == "ERR_ABORTED")
        if pending and not documents[-1].sent:
            return TimedOut.CONNECTION
        return TimedOut.PAGE if pending or self.loading else TimedOut.CHECK

    def exchanges(self) -> list[Exchange]:
        return list(self.devtools.network.exchanges) if self.devtools is not None else []

    def learn_tokens(self) -> None:
        """The tokens and cookies that passed by until now are masked from here on."""
        if self.devtools is not None:
            self.mask.learn(set(self.devtools.network.tokens))

    def hears_network(self) -> bool:
        return self.devtools is not None

    def console_errors(self) -> tuple[str, ...]:
        entries = list(self.devtools.console.entries) if self.devtools is not None else []
        mine = [entry for entry in entries if entry.level == "error" and entry.at >= self.clock.started]
        return tuple(entry.masked(self.mask, 500) for entry in mine[-_MOST_CONSOLE_ERRORS:])

    def facts(self, **found: Any) -> Facts:
        """The facts of the check so far; every text is masked here."""
        for name in ("detail", "said", "dialog"):
            if found.get(name):
                found[name] = self.mask.text(found[name])
        return Facts(
            site=self._site(),
            duration_seconds=self.clock.elapsed(),
            timeout_seconds=self.clock.limit,
            slow_after_seconds=self._slow_after,
            **found,
        )

    def _status_by_asking_again(self) -> int:
        """WebKit tells no status of a page. 0 when the page may not be asked for by a script."""
        self.driver.set_script_timeout(max(self.clock.left(), 0.1))
        try:
            return int(self.driver.execute_async_script(_ASK_AGAIN))
        except WebDriverException:
            return 0

    def _site(self) -> str:
        documents = [exchange.url for exchange in self.exchanges() if exchange.main_document]
        for url in (*reversed(documents), self.asked):
            parts = urlsplit(url)
            if parts.scheme in ("http", "https") and parts.hostname:
                return parts.netloc.rpartition("@")[2]
        return "the site"

    def _net_error(self, state: PageState) -> str:
        """The network error of the main document; it may reach us a moment after the error page."""
        for _ in range(5):
            for exchange in reversed(self.exchanges()):
                if exchange.main_document and exchange.error and exchange.error != "ERR_ABORTED":
                    return exchange.error
            if state.error_code or not self.hears_network():
                break
            self.clock.over.wait(_POLL_SECONDS)
        return state.error_code or "ERR_FAILED"
