"""Where an SSO log-in went: between the partner's site, its home, and the identity provider."""

import re
from itertools import pairwise, takewhile
from typing import Any
from urllib.parse import parse_qs, urlsplit

from services.runner.browser.log_in.look import Look
from services.runner.browser.page import Page
from services.runner.masking import secrets_in_query
from shared.domain.evidence import Facts, LoginFinding

_MOST_ROUND_TRIPS = 3
_MOST_IN_TEXT = 8
_MOST_REDIRECTS = 60


class WentRound(Exception):
    """It left the partner's site for the provider more often than any log-in needs."""


class RoundTrip:
    """Follows the main documents since the entry point; without a DevTools socket only what the looks see is known.

    A host is written with its port, so that two servers of one machine are two hosts.
    """

    def __init__(self, page: Page, entry_point: str) -> None:
        self.home = _host(entry_point)
        self._homes = {_plain(self.home)}
        self._page = page
        self._mark = page.heard()
        self._provider: str | None = None
        self._seen: list[str] = []

    def is_beside(self, look: Look) -> bool:
        """Whether it came to another host of the partner's, or to a provider there."""
        host = _host(look.url)
        return not self._is_home(host) and _same_site(host, self.home)

    def start_at(self, look: Look) -> None:
        """The entry point may lead to another host of the partner's before SSO begins."""
        host = _host(look.url)
        if "sso" in look.ways and _same_site(host, self.home):
            self.home = host
            self._homes.update(_plain(each) for each in (host, *self._hosts()) if _same_site(each, host))

    def come_to_provider(self, look: Look) -> str:
        """From here on, other hosts of the partner's site are home as well. Returns the provider's host."""
        self._provider = self.provider() if self._is_home(_host(look.url)) else _host(look.url)
        return self._provider

    def is_home(self, look: Look) -> bool:
        """Whether the look shows the partner's site. Raises WentRound."""
        self._note(look.url)
        return self._is_home(_host(look.url))

    def nothing_to_fill_in(self, look: Look) -> bool:
        """Whether there is no use in waiting for a form: we are back, or the provider failed. Raises WentRound."""
        return self.is_home(look) or (look.status >= 400 and look.complete)

    def has_left(self) -> bool:
        self._note(self._page.state().url)
        return any(not self._is_home(host) for host in self._hosts())

    def left_since(self, mark: int) -> bool:
        documents = [exchange.url for exchange in self._page.exchanges_since(mark) if exchange.main_document]
        return any(not self._is_home(_host(url)) for url in documents)

    def provider(self) -> str:
        """The host, not the partner's, that we came to last, or that asked for the log-in."""
        if self._provider is not None:
            return self._provider
        return next((host for host in reversed(self._hosts()) if not self._is_home(host)), "the identity provider")

    def redirects(self) -> list[dict[str, Any]]:
        """The main documents in order, redirects too: host, path and status (None: no answer). No query."""
        documents = [exchange for exchange in self._page.exchanges_since(self._mark) if exchange.main_document]
        return [
            {"host": _host(each.url), "path": urlsplit(each.url).path, "status": each.status}
            for each in documents[:_MOST_REDIRECTS]
        ]

    def as_text(self) -> str:
        places = [f"{each['host']}{each['path']}" for each in self.redirects()] or self._seen
        left_out = ["…"] if len(places) > _MOST_IN_TEXT else []
        return " → ".join([*places[:_MOST_IN_TEXT], *left_out])

    def error_brought_back(self) -> str | None:
        """What the provider's last answer said in the address of the partner's callback (RFC 6749, 4.1.2.1). One before
        it may only have said that it knows nobody yet."""
        documents = [exchange.url for exchange in self._page.exchanges_since(self._mark) if exchange.main_document]
        back = takewhile(lambda url: self._is_home(_host(url)), reversed(documents))
        for given in (parse_qs(urlsplit(url).query) for url in reversed([*back])):
            if "error" in given:
                words = ": ".join(values[0] for name in ("error", "error_description") if (values := given.get(name)))
                told = self._page.mask.beginning(words, 200)
                return f"{self.provider()} sent us back with an error ({told})."
        return None

    def judge(self, facts: Facts) -> Facts:
        """Facts of logging in at the provider, or of what the partner said when we came back."""
        if facts.fault is not None:
            return facts
        if self._is_home(facts.site):
            error = self.error_brought_back()
            answered = f"{facts.site} answered {facts.http_status} on the way back." if facts.http_status else ""
            detail = error or answered or f"{facts.site} did not let us in on the way back."
            return self._page.facts(login=LoginFinding.SSO_FAILED, detail=detail, said=facts.said)
        if facts.login is None and facts.http_status is not None and facts.net_error is None:
            detail = f"{facts.site} answered {facts.http_status}."
            return self._page.facts(login=LoginFinding.SSO_FAILED, detail=detail)
        return facts

    def not_back(self, look: Look) -> Facts:
        if look.form is not None and self._is_home(_host(look.url)):
            detail = f"{self.provider()} led back to {self.home}, which asks to log in again."
        else:
            detail = f"{self.provider()} did not lead back to {self.home} within {self._page.patience:g} s."
        return self._page.facts(login=LoginFinding.SSO_FAILED, detail=detail, said=next(iter(look.notices), None))

    def broken_by(self, found: dict[str, Any]) -> Facts | None:
        """A network error or a lost time away from home is the failure of SSO; None when it is another matter."""
        error, timed_out = found.get("net_error"), found.get("timed_out")
        if error == "ERR_TOO_MANY_REDIRECTS":
            return self._page.facts(login=LoginFinding.SSO_LOOP, detail=f"{self.as_text()} ({error})", net_error=error)
        documents = self.redirects()
        last = documents[-1]["host"] if documents else None
        if last is None or self._is_home(last) or (error is None and timed_out is None):
            return None
        detail = f"{last} cannot be reached ({error})." if error else f"{last} did not answer in time."
        return self._page.facts(login=LoginFinding.SSO_FAILED, detail=detail, **found)

    def clean(self, url: str) -> str:
        """The address without what is good for one use only."""
        parts = urlsplit(url)
        query = "" if secrets_in_query(url) or "state=" in parts.query else parts.query
        fragment = "" if "=" in parts.fragment else parts.fragment
        return parts._replace(query=query, fragment=fragment).geturl()

    def _hosts(self) -> list[str]:
        heard = [exchange.url for exchange in self._page.exchanges_since(self._mark) if exchange.main_document]
        return [host for host in map(_host, heard) if host] or self._seen

    def _is_home(self, host: str) -> bool:
        if _plain(host) in self._homes:
            return True
        return self._provider is not None and host != self._provider and _same_site(host, self.home)

    def _note(self, url: str) -> None:
        host = _host(url)
        if host and (not self._seen or self._seen[-1] != host):
            self._seen.append(host)
        home = [self._is_home(each) for each in self._hosts()]
        left = sum(before and not after for before, after in pairwise(home))
        if left > _MOST_ROUND_TRIPS:
            raise WentRound


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2].lower() if parts.scheme in ("http", "https") else ""


def _same_site(one: str, other: str) -> bool:
    """Whether two hosts share their last two labels. An address of numbers is only itself."""
    if one == other:
        return True
    named = re.search(r"[a-z]+(:\d+)?$", one) is not None
    return named and one.count(".") >= 1 and one.split(".")[-2:] == other.split(".")[-2:]


def _plain(host: str) -> str:
    return host.removeprefix("www.")
