"""Looks at the page after something was sent, until it is clear what the site made of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.log_in.answers import TOO_MANY, Answers
from services.runner.browser.log_in.fill import press_enter
from services.runner.browser.log_in.look import Eyes, Look
from shared.domain.evidence import Facts, LoginFinding
from shared.domain.site_words import Saying, is_about_log_in, refuses_curtly

# Words that a page behind the log-in may use of something else.
DOUBTFUL = (Saying.REFUSED, Saying.MAINTENANCE)
_QUIET_LOOKS = 3
_QUIET_LOOKS_BACK_HOME = 15
_ENTER_AFTER_SECONDS = 2.0
_REFUSED_BY_STATUS_AFTER_SECONDS = 1.0
_ROLES = ("authenticator", "decline", "acknowledge", "password_way")

_SENT_BY_MESSAGE = re.compile(
    r"(?i)(?:we|have|was|been|just) .{0,20}(?:sent|texted|e-?mailed)|sms|text message|gesendet|envoy(?:é|e)|enviado"
    r"|inviato"
    r"|verzonden|wys(?:ł|l)an|skickat|sendt|l(?:ä|a)hetetty|odeslán|gönder|отправ|送信しました|已发送|发送至"
)

# Whether a look shows the place that the log-in is to lead to; None: any place without the form.
Arrival = Callable[[Look], bool]


class Sent(StrEnum):
    """What was sent last."""

    NAME = "name"
    PASSWORD = "password"
    CODE = "code"
    ANSWER = "answer"


class Then(StrEnum):
    """What comes next."""

    IN = "in"
    PASSWORD = "password"
    PASSWORD_WAY = "password_way"
    CODE = "code"
    AUTHENTICATOR = "authenticator"
    DECLINE = "decline"
    ALLOW = "allow"
    STILL = "still"


@dataclass(frozen=True, slots=True)
class Seen:
    """`sent` is what was sent last."""

    then: Then
    look: Look
    sent: Sent


class Verdict:
    """About one thing that was sent: `before` is the look before it, `mark` how many exchanges there were by then."""

    def __init__(
        self,
        eyes: Eyes,
        before: Look,
        sent: Sent,
        field: WebElement | None,
        mark: int,
        *,
        name_first: bool,
        arrived: Arrival | None,
    ) -> None:
        self._eyes = eyes
        self._page = eyes.page
        self._before = before
        self._sent = sent
        self._field = field
        self._mark = mark
        self._answers = Answers(eyes.page, mark)
        self._arrived = arrived
        self._name_first = name_first
        self._quiet_looks = 0
        self._gone_since = 0.0
        self._doubt: tuple[str, Saying] | None = None
        self._pressed_enter = False
        self._refused_since: float | None = None
        self._since = self._quiet_since = eyes.page.clock.elapsed()

    def look(self) -> Facts | Seen | None:
        """Facts when the site refused or failed; None while nothing is clear; STILL when the site has been quiet for as
        long as our patience."""
        page, looked_at = self._page, self._page.clock.elapsed()
        look = self._eyes.look_here(_ROLES if self._arrived is None else (*_ROLES, "allow"))
        stands = self._stands(look)
        ended = self._ended(look, stands)
        if ended is not None:
            return ended
        pending = self._answers.awaited()
        quiet = not stands and look.complete and not pending
        self._quiet_looks = self._quiet_looks + 1 if quiet else 0
        if self._quiet_looks <= 1:
            self._gone_since = looked_at
        next_thing = self._next_thing(look, stands) if self._doubt is None else None
        if next_thing is not None and self._quiet_looks >= 1:
            return self._seen(next_thing, look)
        if self._is_in(look, stands):
            return self._seen(Then.IN, look)
        if stands:
            self._press_enter_if_nothing_happened()
        now = page.clock.elapsed()
        if pending or now - looked_at > 1.0:  # the driver holds our look back while a page loads
            self._quiet_since = now
        if now - self._quiet_since < page.patience:
            return None
        return self._ended(look, stands, at_last=True) or self._seen(Then.STILL, look)

    def _seen(self, then: Then, look: Look) -> Seen:
        return Seen(then, look, self._sent)

    def _stands(self, look: Look) -> bool:
        """Whether the form that was sent still stands. One that now wants a code beside is another."""
        if self._sent is Sent.NAME:
            return look.form is not None and look.form.password is None
        if self._sent is Sent.PASSWORD and look.asks_for_code_beside(self._before):
            return False
        # An account's own page may have fields like those of a log-in that asks for the name first.
        name_asked = self._name_first and look.form is not None and not look.greets_anew(self._before)
        asked = name_asked or look.asks_again(self._before)
        return asked or (self._sent is Sent.CODE and look.code is not None)

    def _ended(self, look: Look, stands: bool, at_last: bool = False) -> Facts | None:
        there = look.welcomes if self._arrived is None else self._arrived(look)
        if look.marked or (there and not stands and look.welcomes):
            return None
        facts, status = self._page.facts, self._answers.status(look)
        if self._sent is Sent.CODE and stands:
            return self._code_refused(look, at_last)
        heard = look.new_saying(self._before) or (self._doubt if stands else None)
        if heard is not None and not (heard[1] is Saying.MAINTENANCE and stands):
            if not at_last and self._is_doubtful(heard[1], look, stands):
                self._doubt = heard
                return None
            return judged(facts, heard, status or None)
        if look.captcha and (not self._before.captcha or (at_last and stands)):
            return facts(login=LoginFinding.CAPTCHA)
        refused = self._refused_by_status(look, at_last)
        # A name alone is often refused for want of a password, which is then asked for.
        clear = at_last or self._sent is not Sent.NAME
        if refused is not None and clear and (stands or status in (401, 403)):
            saying = Saying.RATE_LIMITED if refused == TOO_MANY else None
            said = look.new_notice(self._before)
            return facts(login=LoginFinding.REFUSED, said=said, saying=saying, http_status=refused)
        if status >= 400 and not stands and look.code is None:
            return facts(http_status=status)
        if not (at_last and stands):
            return None
        failing = self._answers.failing_status(look)
        return facts(http_status=failing) if failing is not None else self._refused_in_other_words(look)

    def _is_doubtful(self, saying: Saying, look: Look, stands: bool) -> bool:
        """Words where no form is any more: whether the site knows us then tells what they are about."""
        arrived = self._arrived is None or self._arrived(look)
        somewhere = arrived and not stands and look.code is None and self._answers.status(look) < 400
        return saying in DOUBTFUL and self._sent is not Sent.NAME and somewhere and self._eyes.marker is None

    def _refused_in_other_words(self, look: Look) -> Facts | None:
        """The form is there again, emptied, and something new is said of the log-in; or it is marked as wrong."""
        if self._sent is not Sent.PASSWORD or look.form is None or look.form.password is None or look.form.filled[1]:
            return None
        names = [name for each in (look.form, self._before.form) if each is not None for name in each.called]
        notice = look.new_notice(self._before)
        said = notice if notice is not None and refuses_curtly(notice) else None
        said = said or next((text for text in look.new_texts(self._before) if is_about_log_in(text, *names)), None)
        marked = look.form.invalid and self._before.form is not None and not self._before.form.invalid
        return self._page.facts(login=LoginFinding.REFUSED, said=said or notice) if said or marked else None

    def _code_refused(self, look: Look, at_last: bool) -> Facts | None:
        refused = LoginFinding.SECOND_FACTOR_REFUSED
        said = look.code_refusal(self._before)
        if said is not None:
            return self._page.facts(login=refused, said=said)
        if self._refused_by_status(look, at_last) is not None:
            return self._page.facts(login=refused, said=look.new_notice(self._before))
        return None

    def _next_thing(self, look: Look, stands: bool) -> Then | None:
        if self._sent is Sent.NAME:
            if look.form is not None and look.form.password is not None:
                return Then.PASSWORD
            return Then.PASSWORD_WAY if "password_way" in look.ways and not stands else None
        if stands or look.marked or (look.welcomes and not look.keeps_out):
            return None
        by_message = any(_SENT_BY_MESSAGE.search(line) for line in look.lines)
        if look.code is not None and not (by_message and "authenticator" in look.ways):
            return Then.CODE
        if "authenticator" in look.ways and look.form is None:
            return Then.AUTHENTICATOR
        if "decline" in look.ways or "acknowledge" in look.ways:
            return Then.DECLINE
        if self._arrived is not None and "allow" in look.ways and not self._arrived(look):
            return Then.ALLOW
        return None

    def _is_in(self, look: Look, stands: bool) -> bool:
        if self._sent is Sent.NAME:
            return False
        if self._eyes.marker is not None:
            return bool(look.marked)
        if stands or not self._quiet_looks:
            return False
        if self._arrived is not None and not self._arrived(look):
            return False
        # Scripts may lead on from where a provider sent us to.
        enough = _QUIET_LOOKS if self._arrived is None else _QUIET_LOOKS_BACK_HOME
        # At another address the proof that follows is enough: it waits for a late form as well.
        may_come = self._eyes.form_may_come_for() if _address(look) == _address(self._before) else 0.0
        may_come = min(may_come, 0.8 * self._page.patience)
        surely = self._quiet_looks >= enough and self._page.clock.elapsed() - self._gone_since >= may_come
        return surely or look.greets_anew(self._before)

    def _elapsed(self) -> float:
        return self._page.clock.elapsed() - self._since

    def _refused_by_status(self, look: Look, at_last: bool) -> int | None:
        """Once the page had the time to say more of it."""
        status, now = self._answers.refusing_status(look, at_last), self._page.clock.elapsed()
        if status is None:
            self._refused_since = None
            return None
        self._refused_since = now if self._refused_since is None else self._refused_since
        return status if at_last or now - self._refused_since > _REFUSED_BY_STATUS_AFTER_SECONDS else None

    def _press_enter_if_nothing_happened(self) -> None:
        """The button may have been the wrong one. Only where the network is heard: nothing may be sent twice."""
        if self._pressed_enter or not self._page.hears_network() or self._elapsed() < _ENTER_AFTER_SECONDS:
            return
        self._pressed_enter = True
        if self._field is not None and self._page.heard() == self._mark:
            press_enter(self._page, self._field)


def _address(look: Look) -> str:
    return look.url.partition("#")[0].partition("?")[0]


def judged(facts: Callable[..., Facts], heard: tuple[str, Saying], status: int | None) -> Facts:
    """The facts that the site's own words amount to."""
    said, saying = heard
    found: dict[str, Any] = {"said": said, "saying": saying, "http_status": status}
    match saying:
        case Saying.HUMAN_ASKED_FOR:
            return facts(login=LoginFinding.CAPTCHA, **found)
        case Saying.MAINTENANCE:
            return facts(login=LoginFinding.MAINTENANCE, **found)
    return facts(login=LoginFinding.REFUSED, **found)
