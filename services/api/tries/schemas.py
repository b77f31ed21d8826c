from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from services.api.fields import Moment, OutcomeView, Sent, Slug, View
from services.api.job_configurations.schemas import CheckName
from services.api.job_results.schemas import CheckResult, EvidenceLink
from shared.domain.flow import Flow

EXAMPLE: dict[str, Any] = {
    "check": "login",
    "browser": "chromium",
    "flow": {
        "steps": [
            {"do": "navigate"},
            {"do": "fill", "locators": [{"label": "User name"}], "value": "{{username}}"},
            {"do": "fill", "locators": [{"css": "#password"}, {"label": "Password"}], "value": "{{password}}"},
            {"do": "click", "locators": [{"role": "button", "name": "Log in"}]},
            {"do": "expect", "url_contains": "/account"},
        ]
    },
}


class TrySent(Sent):
    """What to look at: one check of the partner, in one browser."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    check: CheckName
    browser: Slug
    flow: Flow | None = Field(
        default=None,
        description="In place of what the partner has; null: the automatic way. Left out: as it is stored.",
    )
    timeout_seconds: float = Field(default=60, ge=5, le=300, description="The limit of the check.")

    @property
    def own_flow(self) -> bool:
        """Whether `flow` was sent at all, also as null."""
        return "flow" in self.model_fields_set


class TryView(View):
    """A check that was asked for, and what it found out so far. It changes no state, and leaves no result."""

    id: UUID
    partner: str
    browser: str
    check: str
    state: Literal["waiting", "running", "ended"] = Field(description="Ask again until it is `ended`.")
    created_at: Moment
    created_by: str
    started_at: Moment | None
    ended_at: Moment | None
    duration_seconds: float | None
    outcome: OutcomeView | None = Field(description="Null until it has ended.")
    checks: list[CheckResult]
    evidence: list[EvidenceLink]
    node: str | None
    browser_name: str | None
    browser_version: str | None
    final_url: str | None
    title: str | None
    console_errors: list[str]
    traceback: str | None = Field(description="Of Parakeet's own errors only.")
