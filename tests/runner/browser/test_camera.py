"""A picture never shows a secret, and taking it leaves the page as it was."""

import asyncio
import base64
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from selenium.webdriver.common.by import By

from services.runner.browser.devtools.socket import DevTools
from services.runner.browser.pictures.camera import NotHidden, take_jpeg, take_png
from services.runner.browser.session import Browser, acquire
from services.runner.masking import Mask
from tests.runner.browser.conftest import settings_for, task_for

# As long as each other, so that what hides them looks alike, and unlike in every letter.
ONE, OTHER = "wMwMwMwM1234", "iliililil789"
NOTHING = Mask(())
SHADOW = """<div id="host"></div><script>
document.getElementById("host").attachShadow({mode: "open"}).innerHTML = "<p>It is SECRET.</p>";</script>"""
SHOWN = {
    "in a text": "<h1>Wrong password: SECRET</h1>",
    "in pieces": "<h1>Wrong password: <b>SECRET</b></h1>".replace("SECRET", "<i>{0}</i>{1}"),
    "in a field": '<input value="SECRET">',
    "as a hint": '<input placeholder="SECRET">',
    "in a text area": "<textarea>SECRET</textarea>",
    "in a shadow root": SHADOW,
    "in a frame": '<iframe srcdoc="<h1>SECRET</h1>"></iframe>',
    "in a frame of another origin": '<iframe src="data:text/html,<h1>SECRET</h1>"></iframe>',
    "fading in": "<style>* { transition: all 9s }</style><h1>SECRET</h1>",
}


@pytest.fixture
async def browser(webdriver_url: str) -> AsyncIterator[Browser]:
    settings = settings_for(webdriver_url)
    browser = await acquire(task_for(""), settings)
    yield browser
    await browser.close(settings)


def devtools_of(browser: Browser) -> DevTools:
    assert browser.devtools is not None
    return browser.devtools


async def show(browser: Browser, html: str, secret: str) -> None:
    half = len(secret) // 2
    html = html.replace("SECRET", secret).replace("{0}", secret[:half]).replace("{1}", secret[half:])
    await browser.start(lambda: browser.driver.get("data:text/html," + quote(html)))


@pytest.mark.parametrize("where", SHOWN)
async def test_pictures_of_two_secrets_are_the_same_to_the_byte(browser: Browser, where: str) -> None:
    devtools, pictures, bare = devtools_of(browser), [], []
    for secret in (ONE, OTHER):
        await show(browser, SHOWN[where], secret)
        bare.append(await take_jpeg(devtools, None, NOTHING, 5))
        pictures.append(await take_jpeg(devtools, None, Mask([secret]), 5))
    assert bare[0] != bare[1]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("where", [where for where in SHOWN if where != "in a frame of another origin"])
async def test_so_are_those_that_the_driver_takes(browser: Browser, where: str) -> None:
    pictures, bare = [], []
    for secret in (ONE, OTHER):
        await show(browser, SHOWN[where], secret)
        bare.append(await browser.start(lambda: take_png(browser.driver, NOTHING)))
        mask = Mask([secret])
        pictures.append(await browser.start(lambda mask=mask: take_png(browser.driver, mask)))  # type: ignore[misc]
    assert bare[0] != bare[1]
    assert pictures[0] == pictures[1]


async def test_a_frame_that_the_driver_cannot_look_into_is_hidden_whole(browser: Browser) -> None:
    for secret in (ONE, OTHER):
        await show(browser, SHOWN["in a frame of another origin"], secret)
        hidden = await browser.start(lambda: take_png(browser.driver, NOTHING))
        await browser.start(lambda: browser.driver.execute_script("document.querySelector('iframe').style.filter = ''"))
        assert hidden != await browser.start(browser.driver.get_screenshot_as_png)


async def test_a_password_field_is_blurred_whatever_it_holds(browser: Browser) -> None:
    await show(browser, '<input type="password" value="1234567890">', "")
    devtools = devtools_of(browser)
    plain = await devtools.call(
        "Page.captureScreenshot", session=devtools.sessions_of(None)[0], format="jpeg", quality=60
    )
    assert await take_jpeg(devtools, None, NOTHING, 5) != base64.b64decode(plain["data"])


async def test_the_page_is_left_as_it_was(browser: Browser) -> None:
    html = '<p>SECRET</p><input id="a" value="SECRET" style="color: red"><input id="b" type="password" value="x">'
    await show(browser, html, ONE)
    before = await browser.start(lambda: browser.driver.page_source)
    await take_jpeg(devtools_of(browser), None, Mask([ONE]), 5)
    await browser.start(lambda: take_png(browser.driver, Mask([ONE])))
    assert await browser.start(lambda: browser.driver.page_source) == before
    field = await browser.start(lambda: browser.driver.find_element(By.ID, "a").get_property("value"))
    assert field == ONE


async def test_what_is_typed_meanwhile_spoils_the_picture(browser: Browser) -> None:
    await show(browser, "<input id=a oninput=1>", "")
    # Each frame types one more letter of a secret, so that no two looks at the field are the same.
    typing = "const type = () => { a.value += 'w'; requestAnimationFrame(type) }; type()"
    await browser.start(lambda: browser.driver.execute_script(typing))
    with pytest.raises(NotHidden):
        await take_jpeg(devtools_of(browser), None, Mask([ONE]), 5, lambda: True)
    # Where nobody but the page can be typing, that is how the page is.
    assert await take_jpeg(devtools_of(browser), None, Mask([ONE]), 5)


async def test_a_secret_that_comes_up_while_the_picture_is_taken_spoils_it(browser: Browser) -> None:
    html = "<p id=said></p><script>said.ownerDocument.defaultView.n = 0;(function say() { said.textContent = "
    html += "n++ % 2 ? '' : 'SECRET'; setTimeout(say, 1) })()</script>"
    await show(browser, html, ONE)
    devtools, mask = devtools_of(browser), Mask([ONE])
    # Whether it is there at the end is up to chance; what is shown may never differ from what is hidden.
    results = await asyncio.gather(*(take_jpeg(devtools, None, mask, 5) for _ in range(6)), return_exceptions=True)
    assert {type(result) for result in results} <= {bytes, NotHidden}
