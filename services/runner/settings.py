from pydantic import Field

from shared.settings import CallbackSettings, EvidenceSettings, SecretSettings, Settings


class RunnerSettings(Settings, SecretSettings, CallbackSettings, EvidenceSettings):
    """What the runner needs. `browser_slots` counts checks at once for each browser: the cores behind the Grid.

    Fewer run at once while the Grid has fewer to give; while it has none, one check probes it every
    `grid_probe_seconds`. A node with `node_failures` in a row is avoided for `node_pause_seconds`.
    `callback_slots` counts callbacks at once, `callbacks_per_host` those of them to one host.
    `login_gap_seconds` lie between two log-ins at one account; after `login_rejections` that were refused in a row
    there is none. `stop_grace_seconds` is what running attempts are given to end when it is told to stop.
    """

    amqp_url: str | None = None
    webdriver_url: str
    control_url: str | None = None
    browser_slots: int = Field(2, ge=1, le=1000)
    grid_probe_seconds: float = Field(30, ge=1, le=3600)
    node_failures: int = Field(3, ge=1, le=100)
    node_pause_seconds: float = Field(300, ge=1, le=86_400)
    callback_slots: int = Field(200, ge=1, le=5000)
    callbacks_per_host: int = Field(50, ge=1, le=5000)
    login_gap_seconds: float = Field(5, ge=0, le=3600)
    login_rejections: int = Field(3, ge=1, le=100)
    stop_grace_seconds: float = Field(20, ge=0, le=600)
    browser_no_sandbox: bool = False
