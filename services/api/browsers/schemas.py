from typing import Any

from pydantic import ConfigDict, Field, field_validator

from services.api.fields import Moment, Sent, Slug, View

EXAMPLE: dict[str, Any] = {
    "name": "chromium",
    "icon": "chromium",
    "capabilities": {"browserName": "chrome"},
    "enabled": True,
}


class BrowserSent(Sent):
    """A browser that the infrastructure offers."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Slug = Field(description="Unique; never changes.")
    icon: Slug = Field(description="The name of its icon.")
    capabilities: dict[str, Any] = Field(
        max_length=100, description="What WebDriver is asked for; `browserName` is needed."
    )
    enabled: bool = Field(default=True, description="While false, nothing runs in it.")

    @field_validator("capabilities")
    @classmethod
    def _names_a_browser(cls, capabilities: dict[str, Any]) -> dict[str, Any]:
        name = capabilities.get("browserName")
        if not isinstance(name, str) or not name:
            raise ValueError("must hold `browserName`, the name by which WebDriver knows the browser")
        return capabilities


class BrowserView(View):
    name: str
    icon: str
    capabilities: dict[str, Any]
    enabled: bool
    created_at: Moment
    updated_at: Moment


class BrowserPage(View):
    items: list[BrowserView]
    next_cursor: str | None = Field(description="Pass it as `cursor` for the next page; null on the last.")
