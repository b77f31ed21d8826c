from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from services.api.fields import Moment, Sent, View
from services.api.job_configurations.schemas import require_cron, require_zone
from shared.domain.cron import MAX_EXPRESSION_LENGTH, Oddity


class PreviewSent(Sent):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cron": "30 2 * * *", "timezone": "Europe/Berlin", "count": 5}]}
    )

    # Before `cron`, whose check needs it.
    timezone: str = Field(default="UTC", min_length=1, max_length=64, description="An IANA name.")
    cron: str = Field(min_length=1, max_length=MAX_EXPRESSION_LENGTH, description="Five fields, or a macro.")
    count: int = Field(default=10, ge=1, le=50)

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        return require_zone(name)

    @field_validator("cron")
    @classmethod
    def _is_a_cron(cls, expression: str, info: ValidationInfo) -> str:
        return require_cron(expression, info.data.get("timezone", "UTC"))


class PreviewMoment(View):
    due_at: Moment
    local_time: str = Field(description="The same moment on the zone's clock.", examples=["2026-11-21T07:00:00+01:00"])
    oddity: Oddity | None = Field(description="What daylight saving did to this moment.")


class Preview(View):
    items: list[PreviewMoment] = Field(description="Fewer than asked for when no further one comes within 5 years.")
