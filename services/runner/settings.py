from pathlib import Path

from shared.settings import SecretSettings, Settings


class RunnerSettings(Settings, SecretSettings):
    """What the runner needs. `browser_slots` counts checks at once for each browser: the cores behind the Grid."""

    amqp_url: str | None = None
    webdriver_url: str
    control_url: str | None = None
    evidence_dir: Path = Path(".parakeet/evidence")
    browser_slots: int = 2
    browser_no_sandbox: bool = False
