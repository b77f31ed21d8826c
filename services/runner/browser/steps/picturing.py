"""A picture in the middle of a flow: nothing of the page may change by it, and no secret be on it."""

from selenium.common.exceptions import WebDriverException

from services.runner.browser.attempt import Evidence
from services.runner.browser.evidence import picture
from services.runner.browser.steps.walk import Walk

MOST_PICTURES = 20
# Taking a secret out of a field would leave the field empty for the steps that follow.
_SHOWS_SECRET = """
    function* roots(root) {
      yield root;
      for (const node of root.querySelectorAll("*")) if (node.shadowRoot) yield* roots(node.shadowRoot);
    }
    return [...roots(document)].some((root) => [...root.querySelectorAll("input, textarea")].some((field) =>
      field.type !== "password" && arguments[0].some((secret) => field.value.includes(secret))));
"""


def take_picture(walk: Walk, detail: list[str]) -> None:
    """Without a picture, when none can be had, the flow goes on."""
    page, credentials = walk.page, walk.task.credentials
    secrets = [each for each in (credentials.password, credentials.totp_secret) if each] if credentials else []
    if len(page.pictures) >= MOST_PICTURES:
        detail.append(f"no picture: there are {MOST_PICTURES} already")
    elif page.driver.execute_script(_SHOWS_SECRET, secrets):
        detail.append("no picture: a field shows a secret")
    else:
        number = walk.title.partition(".")[0]
        try:
            content = picture(page.driver, secrets)
        except WebDriverException as error:
            if "screenshot" not in str(error).lower():
                raise
            detail.append("no picture: the browser took none")
            return
        page.pictures.append(Evidence(f"{walk.task.check.replace('_', '-')}-step-{number}.png", "image/png", content))
        detail.append("taken")
