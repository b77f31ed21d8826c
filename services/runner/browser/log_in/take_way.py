"""Goes a way that a look found."""

from services.runner.browser.clicking import click_if_there
from services.runner.browser.log_in.look import Eyes, Way


def take_way(eyes: Eyes, way: Way) -> str | None:
    """Clicks the control, and where it is a choice, what sends that; returns what it says. None when the page replaced
    the control, which is left for the next look then."""
    said = click_if_there(eyes.page, way.control, way.says)
    if said is not None and way.submit is not None:
        click_if_there(eyes.page, way.submit)
    if said is not None:
        eyes.tried.append(way.sign)
    return said
