"""The `product_page` and `express_checkout` checks, the automatic way. Nothing binding is clicked."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from selenium.webdriver.remote.webelement import WebElement

from services.runner.browser.attempt import CheckTask
from services.runner.browser.clicking import DRAWN_ANEW, accept_consent, click_if_there
from services.runner.browser.log_in.look import form_in_document
from services.runner.browser.page import Page
from shared.domain.evidence import Facts, LoginFinding, PageFinding
from shared.domain.shop_words import BASKET, CHECKOUT, EXPRESS, FINAL

_LOOK = Path(__file__).with_name("shop_page.js").read_text("utf-8")
_SAID = (FINAL, EXPRESS, CHECKOUT, BASKET)
_MOST_CLICKS = 3
_MOST_DRAWN_ANEW = 10


@dataclass(frozen=True, slots=True)
class ShopPage:
    """What one look shows, field by field as `shop_page.js` returns it. `text_found` None: none expected."""

    text_found: bool | None
    price: bool
    at_checkout: bool
    checkout_path: bool
    empty: bool
    express: WebElement | None
    checkout: WebElement | None
    basket: WebElement | None

    @property
    def sells(self) -> bool:
        return self.price and (self.express or self.checkout or self.basket) is not None

    def way_on(self, first: bool) -> WebElement | None:
        """On the page that it begins at, a short cut. Elsewhere the same words may be those of the last button."""
        short_cut = self.express if first and not self.checkout_path else None
        return short_cut or self.checkout or self.basket


def see_product(page: Page, task: CheckTask) -> Facts:
    """The page answers, renders, and shows the expected text, or else a price and a way to buy."""
    with page.step("open the product page") as detail:
        state = page.open(task.url)
        detail.append(f"answered {state.status}" if state.status else "")
    if state.status >= 400:
        return page.facts(http_status=state.status)
    with page.step("look for what it must show") as detail:
        accept_consent(page)
        shown = page.poll(lambda: _shows(page, task.expect_text), page.patience)
        seen = shown or _look(page, task.expect_text)
        detail.append("found" if shown else "not found")
    if shown:
        return page.facts(page=PageFinding.AS_EXPECTED, http_status=state.status or None)
    if seen.empty:
        return page.facts(page=PageFinding.NOT_AS_EXPECTED, detail="The page stays empty.")
    if task.expect_text is not None:
        return page.facts(page=PageFinding.NOT_AS_EXPECTED, detail=f"It does not show “{task.expect_text}”.")
    missing = " and ".join([] if seen.price else ["no price"]) or "nothing to buy it with"
    return page.facts(page=PageFinding.ELEMENT_MISSING, detail=f"The product page shows {missing}.")


def reach_checkout(page: Page, task: CheckTask) -> Facts:
    """From the entry point to the first step of the checkout, as somebody who is logged in."""
    with page.step("open the entry point of the checkout") as detail:
        state = page.open(task.url)
        detail.append(f"answered {state.status}" if state.status else "")
    if state.status >= 400:
        return page.facts(http_status=state.status)
    accept_consent(page)
    clicks, drawn_anew = 0, 0
    while clicks < _MOST_CLICKS and drawn_anew < _MOST_DRAWN_ANEW:
        seen = page.poll(partial(_leads_on, page, task.expect_text, clicks == 0), page.patience)
        if seen is None or _arrived(seen, task.expect_text):
            break
        control = seen.way_on(first=clicks == 0)
        assert control is not None
        with page.step("go towards the checkout") as detail:
            said = click_if_there(page, control)
            detail.append(said or DRAWN_ANEW)
        clicks, drawn_anew = (clicks, drawn_anew + 1) if said is None else (clicks + 1, drawn_anew)
    with page.step("look for the first step of the checkout") as detail:
        end = page.poll(lambda: _at_end(page, task.expect_text), page.patience)
        detail.append("found" if end is PageFinding.AS_EXPECTED else "not found")
    if end is None:
        return _not_reached(page, task.expect_text)
    if end is LoginFinding.SESSION_LOST:
        return page.facts(login=end, detail="The checkout asks to log in again.")
    return page.facts(page=PageFinding.AS_EXPECTED)


def _look(page: Page, expect_text: str | None) -> ShopPage:
    return ShopPage(**page.run(_LOOK, expect_text, _SAID))


def _shows(page: Page, expect_text: str | None) -> ShopPage | None:
    page.state()  # raises when it is the browser's error page
    seen = _look(page, expect_text)
    return seen if (seen.sells if expect_text is None else seen.text_found) else None


def _arrived(seen: ShopPage, expect_text: str | None) -> bool:
    return seen.at_checkout if expect_text is None else bool(seen.text_found)


def _leads_on(page: Page, expect_text: str | None, first: bool) -> ShopPage | None:
    """Arrived, or with a control that leads on. At the checkout nothing more is clicked."""
    page.state()
    seen = _look(page, expect_text)
    return seen if _arrived(seen, expect_text) or (not seen.at_checkout and seen.way_on(first)) else None


def _at_end(page: Page, expect_text: str | None) -> PageFinding | LoginFinding | None:
    page.state()
    if _arrived(_look(page, expect_text), expect_text):
        return PageFinding.AS_EXPECTED
    return LoginFinding.SESSION_LOST if form_in_document(page) is not None else None


def _not_reached(page: Page, expect_text: str | None) -> Facts:
    status = page.state().status
    if status >= 400:
        return page.facts(http_status=status)
    if expect_text is not None:
        return page.facts(page=PageFinding.NOT_AS_EXPECTED, detail=f"The checkout does not show “{expect_text}”.")
    return page.facts(page=PageFinding.ELEMENT_MISSING, detail="No first step of a checkout appeared.")
