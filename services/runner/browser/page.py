"""The page as a check sees it: blocking calls, made in the attempt's thread, that end when the soft deadline does."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urldefrag, urlsplit

from selenium.common.exceptions import JavascriptException, StaleElementReferenceException, WebDriverException
from selenium.webdriver import Remote

from services.runner.browser.attempt import BrowserTask, Evidence, LastPage, Step
from services.runner.browser.devtools.authentication import Authentication
from services.runner.browser.devtools.network_log import Exchange
from services.runner.browser.devtools.socket import DevTools
from services.runner.browser.failures import PageTrouble
from services.runner.browser.pictures.step_pictures import StepPictures
from services.runner.masking import Mask
from shared.domain.evidence import Facts, TimedOut

T = TypeVar("T")

_POLL_SECONDS = 0.05
_LEADS_ON_SECONDS = 2.0
_NET_ERROR_LOOKS = 10
_ASK_AGAIN = """
    const done = arguments[arguments.length - 1];
    fetch(location.href, {cache: "no-store"}).then((answer) => done(answer.status), () => done(0));
"""
_MOST_CONSOLE_ERRORS = 50
_MOST_CHARACTERS = {"detail": 600, "said": 300, "dialog": 200}
# How the driver puts it when the page is replaced while it answers.
_REPLACED = re.compile(
    r"does not belong to the document|[Nn]o node with given id|[Cc]annot find context|ContextId not found"
)
PAGE_STATE = Path(__file__).with_name("page_state.js").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class PageState:
    """What one look at the page shows; field by field as `page_state.js` returns it."""

    url: str
    status: int
    complete: bool
    error_page: bool
    error_code: str
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
    """One browser window under a clock. Every method may raise PageTrouble, or what selenium raises.

    `failed_step` is that of a flow, counted from 1; 0: none failed. `failed_on` is the page as that step left it, where
    the flow went on to tidy up.
    """

    def __init__(self, driver: Remote, devtools: DevTools | None, clock: Clock, mask: Mask, task: BrowserTask) -> None:
        self.driver = driver
        self.clock = clock
        self.mask = mask
        self.steps: list[Step] = []
        self.warnings: list[str] = []
        self.asked_for: list[Evidence] = []
        self.failed_step = 0
        self.failed_on: LastPage | None = None
        self.asked = ""
        self.loading = False
        self.devtools = devtools
        self.pictures = StepPictures(task.step_screenshots, driver, devtools, mask)
        self.patience = task.patience_seconds
        self.spend_code = task.spend_code
        self.redirects: list[dict[str, Any]] = []
        self.provider: str | None = None
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
            told = self.mask.beginning(" ".join(detail), 300)
            self.steps.append(Step(self.mask.beginning(name, 120), offset, took, ok, told))
            if ok:
                self.pictures.step_ended(len(self.steps))

    def warn(self, warning: str) -> None:
        """Something that did not keep the check from passing, but will want attention."""
        self.warnings.append(self.mask.text(warning)[:300])

    def open(self, url: str, seconds: float | None = None) -> PageState:
        """Loads a page; a network error or the end of the time raises PageTrouble, a bad HTTP status does not."""
        self.asked = url
        # A browser that is at that address already, but for the fragment, would only scroll.
        there = "#" in url and urldefrag(self.driver.current_url).url == urldefrag(url).url
        with self.waiting_for_page(seconds):
            self.driver.get(url)
            if there:
                self.driver.refresh()
        if self.clock.left() <= 0:
            raise PageTrouble(timed_out=self.waits_for())
        # A script may lead on at once.
        state = self.poll(self.state, _LEADS_ON_SECONDS) or self.state()
        if state.status or self.hears_network():
            return state
        return replace(state, status=self._status_by_asking_again())

    @contextmanager
    def waiting_for_page(self, seconds: float | None = None) -> Iterator[None]:
        """Around every command that may load a page, so that it can be bounded, and told apart when it hangs."""
        self.check_time()
        # Half a second more than we have: the event loop's stop at the deadline leaves the page in a better state.
        left = max(self.clock.left(), 0.1) + 0.5
        self.driver.set_page_load_timeout(left if seconds is None else min(left, seconds))
        self.loading = True
        yield
        self.loading = False

    def state(self) -> PageState:
        """What the page is. Raises PageTrouble when it is the browser's own error page."""
        return PageState(**self.read("return pageState();"))

    def read(self, script: str, *arguments: Any) -> dict[str, Any]:
        """One look by a script that returns at least `pageState()`. Raises PageTrouble as `state` does."""
        self.check_time()
        read: dict[str, Any] | None = self.run(PAGE_STATE + script, *arguments)
        if read is None:
            raise StaleElementReferenceException("the window is being closed")
        if read["error_page"] and not (read["status"] >= 400):
            raise PageTrouble(net_error=self._net_error(read["error_code"]))
        return read

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns. Raises StaleElementReferenceException when the page is replaced meanwhile."""
        with self.replaced_is_stale():
            return self.driver.execute_script(script, *arguments)

    @contextmanager
    def replaced_is_stale(self) -> Iterator[None]:
        """Inside, all that the driver says of a page that is replaced meanwhile is StaleElementReferenceException."""
        try:
            yield
        except WebDriverException as error:
            if _REPLACED.search(error.msg or ""):
                raise StaleElementReferenceException(error.msg) from error
            raise

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

    def hide(self, code: str) -> None:
        """A secret that is known only now: it is masked from here on."""
        self.mask.add(code)

    def answer_authentication(
        self, origin: str, username: str, password: str
    ) -> AbstractContextManager[Authentication]:
        """Inside, the browser's question for a name and a password (HTTP authentication) is answered, once."""
        assert self.devtools is not None
        return self.devtools.answering(origin, username, password)

    def decline_authentication(self) -> AbstractContextManager[None]:
        """Inside, scripts are told when what they send is refused by HTTP authentication, and nobody is asked."""
        return self.devtools.declining() if self.devtools is not None else nullcontext()

    def exchanges(self) -> list[Exchange]:
        return list(self.devtools.network.exchanges) if self.devtools is not None else []

    def learn_tokens(self) -> None:
        """The tokens and cookies that passed by until now are masked from here on."""
        if self.devtools is not None:
            self.mask.learn(set(self.devtools.network.tokens))

    def heard(self) -> int:
        """How many exchanges there were so far: a mark for `exchanges_since`."""
        return self.devtools.network.heard if self.devtools is not None else 0

    def exchanges_since(self, mark: int) -> list[Exchange]:
        new = self.heard() - mark
        return self.exchanges()[-new:] if new > 0 else []

    def hears_network(self) -> bool:
        return self.devtools is not None

    def console_errors(self) -> tuple[str, ...]:
        entries = list(self.devtools.console.entries) if self.devtools is not None else []
        mine = [entry for entry in entries if entry.level == "error" and entry.at >= self.clock.started]
        return tuple(entry.masked(self.mask, 500) for entry in mine[-_MOST_CONSOLE_ERRORS:])

    def facts(self, **found: Any) -> Facts:
        """The facts of the check so far; every text is masked and cut here."""
        for name, most in _MOST_CHARACTERS.items():
            if found.get(name):
                found[name] = self.mask.beginning(found[name], most)
        return Facts(
            site=self._site(),
            duration_seconds=self.clock.elapsed(),
            timeout_seconds=self.clock.limit,
            slow_after_seconds=self._slow_after,
            **({"provider": self.provider} | found),
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

    def _net_error(self, shown: str) -> str:
        """The network error of the main document; it may reach us a moment after the error page."""
        for _ in range(_NET_ERROR_LOOKS):
            for exchange in reversed(self.exchanges()):
                if exchange.main_document and exchange.error and exchange.error != "ERR_ABORTED":
                    return exchange.error
            if shown or not self.hears_network():
                break
            self.clock.over.wait(_POLL_SECONDS)
        return shown or "ERR_FAILED"
