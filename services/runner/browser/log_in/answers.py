"""What the network tells of the answers to what was sent."""

import time
from collections import Counter
from urllib.parse import urlsplit

from services.runner.browser.devtools.network_log import Exchange
from services.runner.browser.log_in.look import Look
from services.runner.browser.page import Page

TOO_MANY = 429

_SAYS_NO = (400, 401, 403, 422, TOO_MANY)
_LISTENS_AFTER_SECONDS = 5.0
_ASKED_AGAIN = 3


class Answers:
    """To one thing that was sent: `mark` is how many exchanges there were by then."""

    def __init__(self, page: Page, mark: int) -> None:
        self._page = page
        self._mark = mark

    def awaited(self) -> bool:
        """Whether one is still to come. Not one that a page asks for again and again, nor one that stays out for
        seconds: so it listens for news. But the first thing that was posted may be the log-in, and take its time."""
        since = self._page.exchanges_since(self._mark)
        posted = next((exchange for exchange in since if _is_posted(exchange)), None)
        answered = Counter(_place(exchange) for exchange in since if exchange.ended)
        young = time.monotonic() - _LISTENS_AFTER_SECONDS

        def is_awaited(exchange: Exchange) -> bool:
            news = exchange.started <= young or answered[_place(exchange)] >= _ASKED_AGAIN
            return exchange.main_document or exchange is posted or (exchange.background and not news)

        return any(not exchange.ended and is_awaited(exchange) for exchange in since)

    def status(self, look: Look) -> int:
        """That of the page that came; 0 while the page is still the one from before."""
        if not self._page.hears_network():
            return look.status
        documents = [each for each in self._page.exchanges_since(self._mark) if each.kind == "Document"]
        return look.status if any(each.status == look.status for each in documents) else 0

    def refusing_status(self, look: Look, at_last: bool) -> int | None:
        """Of the page, or of what it posted. Pages post other things than the log-in, too: where some are answered
        kindly, or not yet, a status tells nothing before all has been quiet."""
        status = self.status(look)
        if status in _SAYS_NO:
            return status
        posted = self._posted(look)
        refused = [each.status for each in posted if each.status in _SAYS_NO]
        since = self._page.exchanges_since(self._mark)
        alone = len(refused) == len(posted) and all(each.ended for each in since if each.main_document)
        return refused[0] if refused and (alone or at_last) else None

    def failing_status(self, look: Look) -> int | None:
        """Of all that it posted: the site could not take it."""
        failed = [each.status for each in self._posted(look)]
        return failed[0] if failed and all(status is not None and status >= 500 for status in failed) else None

    def _posted(self, look: Look) -> list[Exchange]:
        site = urlsplit(look.url).hostname
        since = self._page.exchanges_since(self._mark)
        return [each for each in since if _is_posted(each) and urlsplit(each.url).hostname == site]


def _is_posted(exchange: Exchange) -> bool:
    return exchange.background and exchange.method != "GET"


def _place(exchange: Exchange) -> tuple[str, str]:
    return exchange.method, exchange.url.partition("?")[0]
