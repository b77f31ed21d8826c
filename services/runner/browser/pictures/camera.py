"""Takes pictures of a page, each after every secret in it was hidden: without that, there is no picture."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selenium.common.exceptions import JavascriptException
from selenium.webdriver import Remote

from services.runner.browser.devtools.authentication import DevToolsSilent
from services.runner.browser.devtools.socket import DevTools
from services.runner.masking import Mask

_REDACT = Path(__file__).with_name("redact.js").read_text("utf-8")
_BY_SCRIPT = f"return ({_REDACT})(...arguments)"
# A world of our own: what the page has made of its globals neither hinders us nor sees us.
_WORLD = "redaction"
_TRIES = 3
_FORMAT: dict[str, Any] = {"format": "jpeg", "quality": 60, "optimizeForSpeed": True}


class NotHidden(Exception):
    """A secret could not be hidden, or the page was replaced meanwhile."""


async def take_jpeg(
    devtools: DevTools, target: str | None, mask: Mask, seconds: float, still: Callable[[], bool] | None = None
) -> bytes:
    """What the page `target` (None: the latest) shows, as a JPEG. Raises NotHidden, DevToolsSilent.

    A picture that fails is taken again while it is `still` the one that is wanted. With `still`, somebody may type
    meanwhile, which spoils it.
    """
    try:
        async with asyncio.timeout(seconds), devtools.taking:
            for _ in range(_TRIES - 1):
                try:
                    return await _take(devtools, target, mask, seconds, still is not None)
                except NotHidden:  # the page was just being replaced: then the new one
                    if still is not None and not still():
                        raise
            return await _take(devtools, target, mask, seconds, still is not None)
    except TimeoutError as error:
        raise DevToolsSilent("Page.captureScreenshot") from error


async def _take(devtools: DevTools, target: str | None, mask: Mask, seconds: float, typing: bool) -> bytes:
    sessions = devtools.sessions_of(target)
    if not sessions:
        raise NotHidden("the page is gone")
    try:
        worlds = [each for session in sessions for each in await _worlds(devtools, session, seconds)]
        try:
            await _redact(devtools, worlds, mask, "hide", seconds, typing)
            shot = await devtools.call("Page.captureScreenshot", session=sessions[0], seconds=seconds, **_FORMAT)
        finally:
            await _redact(devtools, worlds, mask, "show", seconds, typing)
        return base64.b64decode(shot["data"])
    except KeyError as error:
        raise NotHidden("the page is being replaced") from error


def take_png(driver: Remote, mask: Mask) -> bytes:
    """The same by WebDriver alone, from whatever frame the driver is in. Raises NotHidden, and what selenium raises."""
    try:
        driver.execute_script(_BY_SCRIPT, mask.unseen, "hide", False)
    except JavascriptException as error:
        raise NotHidden("the page can't be reached from this frame") from error
    try:
        picture = driver.get_screenshot_as_png()
    finally:
        complete = driver.execute_script(_BY_SCRIPT, mask.unseen, "show", False)
    if not complete:
        raise NotHidden("a secret came up meanwhile")
    return picture


async def _worlds(devtools: DevTools, session: str, seconds: float) -> list[tuple[str, int]]:
    """A world of our own in every frame of the session: its session and the id of its execution context."""
    tree = await devtools.call("Page.getFrameTree", session=session, seconds=seconds)
    made = [
        devtools.call("Page.createIsolatedWorld", session=session, seconds=seconds, frameId=frame, worldName=_WORLD)
        for frame in _frames(tree["frameTree"])
    ]
    return [(session, world["executionContextId"]) for world in await asyncio.gather(*made)]


def _frames(tree: dict[str, Any]) -> Iterator[str]:
    yield tree["frame"]["id"]
    for child in tree.get("childFrames", ()):
        yield from _frames(child)


async def _redact(
    devtools: DevTools, worlds: list[tuple[str, int]], mask: Mask, what: str, seconds: float, typing: bool
) -> None:
    arguments = [{"value": value} for value in (mask.unseen, what, True, typing)]
    calls = [
        devtools.call(
            "Runtime.callFunctionOn",
            session=session,
            seconds=seconds,
            functionDeclaration=_REDACT,
            executionContextId=context,
            arguments=arguments,
            returnByValue=True,
        )
        for session, context in worlds
    ]
    answers = await asyncio.gather(*calls)
    if not all(answer.get("result", {}).get("value") is True for answer in answers):
        raise NotHidden(what)
