"""From a log-in form to what is behind it: name, password, one-time code, and the questions asked on the way."""

from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.attempt import Credentials
from services.runner.browser.clicking import DRAWN_ANEW
from services.runner.browser.log_in.fill import fill_form, send
from services.runner.browser.log_in.look import Eyes, LoginForm, Look
from services.runner.browser.log_in.second_factor import fresh_code, give_code, key_of, sent_since, type_code
from services.runner.browser.log_in.take_way import take_way
from services.runner.browser.log_in.verdict import Arrival, Seen, Sent, Then, Verdict
from shared.domain.evidence import Facts, LoginFinding

_MOST_ANSWERS = 5


def enter(eyes: Eyes, look: Look, credentials: Credentials, arrived: Arrival | None = None) -> Facts | Seen:
    """What is seen where the log-in led, or STILL when it led nowhere; facts when the site refused or failed.

    `look` shows the form, in whose frame the driver is. The password is sent once, and so is a code.
    """
    with eyes.page.decline_authentication():
        return _enter(_Entering(eyes, look, credentials, arrived), look)


def _enter(entering: "_Entering", look: Look) -> Facts | Seen:
    seen = entering.give_name() if entering.name_first else entering.give_password(look)
    for _ in range(_MOST_ANSWERS):
        if isinstance(seen, Facts):
            return seen
        match seen.then:
            case Then.PASSWORD:
                seen = entering.give_password(seen.look)
            case Then.CODE:
                seen = entering.give_code(seen.look)
            case Then.IN | Then.STILL:
                break
            case _:
                seen = entering.answer(seen)
    return seen


class _Entering:
    def __init__(self, eyes: Eyes, look: Look, credentials: Credentials, arrived: Arrival | None) -> None:
        assert look.form is not None
        self.name_first = look.form.kind == "user"
        self._eyes = eyes
        self._page = eyes.page
        self._first = look
        self._credentials = credentials
        self._arrived = arrived
        self._sent = Sent.NAME
        self._password_sent = False
        self._code_sent = False

    def give_name(self) -> Facts | Seen:
        form = self._first.form
        assert form is not None
        with self._page.step("give the user name") as detail:
            form = fill_form(self._eyes, form, self._credentials.username, None)
            mark = self._page.heard()
            detail.append(send(self._page, form))
        self._sent = Sent.NAME
        return self._see(self._first, form.user, mark)

    def give_password(self, look: Look) -> Facts | Seen:
        form = look.form
        assert form is not None
        if self._password_sent:
            return Seen(Then.STILL, look, self._sent)
        self._password_sent = True
        username = None if self.name_first else self._credentials.username
        with self._page.step("fill the log-in form"):
            form = fill_form(self._eyes, form, username, self._credentials.password)
            facts = self._give_code_beside(look)
        if facts is not None:
            return facts
        mark = self._page.heard()
        with self._page.step("submit") as detail:
            detail.append(send(self._page, form))
        self._sent = Sent.PASSWORD
        return self._see(look, form.password, mark)

    def give_code(self, look: Look) -> Facts | Seen:
        assert look.code is not None
        if self._code_sent:
            return self._page.facts(login=LoginFinding.SECOND_FACTOR_REFUSED, detail="It asks for a code again.")
        if look.code.beside is not None and look.form is not None:
            with self._page.step("fill the log-in form"):
                self._fill_again(look.form)
        given = give_code(self._eyes, look.code, self._credentials.totp_secret)
        if isinstance(given, Facts):
            return given
        form, mark = given
        self._code_sent = True
        self._sent = Sent.CODE
        seen = self._see(look, form.fields[-1], mark)
        if isinstance(seen, Seen) and seen.then is Then.STILL and sent_since(self._page, mark):
            return self._page.facts(login=LoginFinding.SECOND_FACTOR_REFUSED, detail="It asks for a code again.")
        return seen

    def _fill_again(self, form: LoginForm) -> None:
        """Where the site emptied it, to ask for a code beside."""
        if form.filled != (len(self._credentials.username), len(self._credentials.password)):
            fill_form(self._eyes, form, self._credentials.username, self._credentials.password)

    def answer(self, seen: Seen) -> Facts | Seen:
        """A question in between: which way to log in, whether to stay signed in, whether the site may know us."""
        roles = {Then.DECLINE: ("decline", "acknowledge")}.get(seen.then, (seen.then.value,))
        way = next(seen.look.ways[role] for role in roles if role in seen.look.ways)
        mark = self._page.heard()
        with self._page.step(_QUESTIONS[seen.then]) as detail:
            detail.append(take_way(self._eyes, way) or DRAWN_ANEW)
        if self._sent is not Sent.NAME:
            self._sent = Sent.ANSWER
        return self._see(seen.look, None, mark)

    def _give_code_beside(self, look: Look) -> Facts | None:
        """A form that asks for name, password and code at once. Without a secret the field is left as it is."""
        if look.code is None or look.code.beside is None or self._credentials.totp_secret is None:
            return None
        key = key_of(self._page, self._credentials.totp_secret)
        if isinstance(key, Facts):
            return key
        code = fresh_code(self._page, key)
        if isinstance(code, Facts):
            return code
        self._code_sent = True
        type_code(self._eyes, self._eyes.look_here().code or look.code, code)
        return None

    def _see(self, before: Look, field: WebElement | None, mark: int) -> Facts | Seen:
        verdict = Verdict(
            self._eyes, before, self._sent, field, mark, name_first=self.name_first, arrived=self._arrived
        )
        with self._page.step("see what happens") as detail:
            found = self._page.poll(verdict.look, self._page.clock.left())
            assert found is None or isinstance(found, Facts | Seen)
            if isinstance(found, Seen):
                detail.append(_FOUND[found.then])
        return found or Seen(Then.STILL, self._eyes.look_here(), self._sent)


_QUESTIONS = {
    Then.PASSWORD_WAY: "choose to log in with the password",
    Then.AUTHENTICATOR: "choose the authenticator app",
    Then.DECLINE: "decline what is offered",
    Then.ALLOW: "allow the access",
}
_FOUND = {
    Then.IN: "the form is gone",
    Then.PASSWORD: "it asks for the password",
    Then.PASSWORD_WAY: "it offers other ways",
    Then.CODE: "it asks for a one-time code",
    Then.AUTHENTICATOR: "it asks which second factor to use",
    Then.DECLINE: "it asks something else first",
    Then.ALLOW: "it asks for consent",
    Then.STILL: "nothing",
}
