"""What a browser attempt needs to know about its surroundings."""

from dataclasses import dataclass

SAFE_CHROMIUM_ARGUMENTS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1366,900",
)


@dataclass(frozen=True, slots=True)
class BrowserSettings:
    """Durations in seconds. `webdriver_url` is a Selenium Grid or a plain driver; it may hold user name and password.

    `control_url` is a page of ours that must answer 2xx or 3xx; None switches that check off. `no_sandbox` is needed
    where Chromium runs as root. `browser_binary` is for a plain driver; a Grid node decides its own.
    """

    webdriver_url: str
    acquire_seconds: float = 15.0
    evidence_seconds: float = 2.0
    control_seconds: float = 5.0
    cleanup_seconds: float = 5.0
    control_url: str | None = None
    browser_arguments: tuple[str, ...] = SAFE_CHROMIUM_ARGUMENTS
    no_sandbox: bool = False
    browser_binary: str | None = None
