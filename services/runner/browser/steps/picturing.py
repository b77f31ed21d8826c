"""A picture in the middle of a flow, which goes on undisturbed, with or without one."""

from selenium.common.exceptions import WebDriverException

from services.runner.browser.devtools.authentication import DevToolsSilent
from services.runner.browser.evidence import picture
from services.runner.browser.pictures.camera import NotHidden
from services.runner.browser.steps.walk import Walk

MOST_PICTURES = 20
_SECONDS = 2.0


def take_picture(walk: Walk, detail: list[str]) -> None:
    page = walk.page
    if len(page.asked_for) >= MOST_PICTURES:
        detail.append(f"no picture: there are {MOST_PICTURES} already")
        return
    number = walk.title.partition(".")[0]
    try:
        page.asked_for.append(picture(page, f"{walk.task.check.replace('_', '-')}-step-{number}", _SECONDS))
        detail.append("taken")
    except (NotHidden, DevToolsSilent, TimeoutError):
        detail.append("no picture: the page could not be made ready for it")
    except WebDriverException as error:
        if "screenshot" not in str(error).lower():
            raise
        detail.append("no picture: the browser took none")
