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
    queues: list[QueueDepth]
    replicas: list[ReplicaView]
    schedulers: Schedulers
    runners: Runners
    failures_last_hour: OutcomeCounts = Field(description="Results that are infrastructure failures.")
    not_run_last_hour: OutcomeCounts = Field(description="Due moments that were not run: missed, skipped, cancelled.")
