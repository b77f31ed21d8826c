from uuid import UUID

from pydantic import Field

from services.api.fields import Moment, View


class GridBrowser(View):
    """What the Grid offers of one browser, by its WebDriver name."""

    browser_name: str
    slots: int
    busy: int
    queued: int = Field(description="Sessions that wait for a slot.")


class GridView(View):
    """Selenium Grid, or a plain browser driver, which has no slots to report."""

    configured: bool = Field(description="False when the API was not told where the Grid is.")
    reachable: bool
    ready: bool
    message: str = Field(description="Its own words, or why it can't be reached.")
    nodes: int | None
    slots: int | None
    busy: int | None
    queued: int | None
    browsers: list[GridBrowser]


class NodeTrouble(View):
    """A node of the Grid whose newest attempt failed on our side."""

    node: str = Field(description="Its address, as the Grid tells it.")
    failures_in_a_row: int
    code: str = Field(description="The newest failure.")
    failed_at: Moment
    avoided_until: Moment | None = Field(description="Until then it is used only where there is no other.")


class StoppedAccount(View):
    """An account at which nobody logs in any more, because too many log-ins in a row were refused."""

    partners: list[str] = Field(description="Whose checks log in there.")
    rejections: int
    stopped_at: Moment


class Accounts(View):
    """The accounts that checks log in at. Their names are never stored in the clear, so they are not told here."""

    in_use: int = Field(description="At which a check is logged in now.")
    stopped: list[StoppedAccount]


class QueueDepth(View):
    """Scheduled jobs that are dispatched and not yet claimed by a runner."""

    lane: str = Field(description="`http` for callbacks, `browser.…` for checks.")
    priority: str = Field(description="`high` (run now), `normal` or `low` (backfill).")
    depth: int


class ReplicaView(View):
    """A scheduler or runner process that renewed its row within 3 seconds."""

    id: UUID
    kind: str
    started_at: Moment
    renewed_at: Moment


class Schedulers(View):
    alive: int
    lateness_p99_seconds: float | None = Field(description="Due to confirmed by the queue: the worst scheduler's p99.")
    dispatched_per_second: float | None
    overdue: int = Field(description="Scheduled jobs that are due and not dispatched.")
    oldest_overdue_seconds: float = Field(description="By how much the oldest of them is late; 0 when there is none.")


class LaneSlots(View):
    """What the runners together can do at once in one lane."""

    lane: str
    slots: int
    busy: int
    trouble: str | None = Field(
        default=None, description="Why the Grid gives nothing, so that only one check at a time probes it."
    )


class Runners(View):
    alive: int
    slots: int
    busy: int
    lanes: list[LaneSlots]


class OutcomeCount(View):
    code: str
    count: int


class OutcomeCounts(View):
    """How many results of one class there were, the most frequent code first."""

    total: int
    by_code: list[OutcomeCount]


class InfrastructureView(View):
    as_of: Moment
    grid: GridView
    nodes: list[NodeTrouble] = Field(description="Nodes of the Grid whose newest attempt failed on our side.")
    accounts: Accounts
    queues: list[QueueDepth]
    replicas: list[ReplicaView]
    schedulers: Schedulers
    runners: Runners
    failures_last_hour: OutcomeCounts = Field(description="Results that are infrastructure failures.")
    not_run_last_hour: OutcomeCounts = Field(description="Due moments that were not run: missed, skipped, cancelled.")
