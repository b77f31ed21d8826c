from typing import Any

from pydantic import ConfigDict, Field, field_validator

from services.api.fields import Moment, Sent, Slug, View

EXAMPLE: dict[str, Any] = {
    "name": "chromium",
    "icon": "chromium",
    "capabilities": {"browserName": "chrome"},
    "enabled": True,
}

_VENDOR_OPTIONS = ("goog:chromeOptions", "ms:edgeOptions", "moz:firefoxOptions")
_PAGE_LOAD_STRATEGIES = ("normal", "eager")


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
    def _usable(cls, capabilities: dict[str, Any]) -> dict[str, Any]:
        name = capabilities.get("browserName")
        if not isinstance(name, str) or not name:
            raise ValueError("must hold `browserName`, the name by which WebDriver knows the browser")
        for vendor in _VENDOR_OPTIONS:
            options = capabilities.get(vendor, {})
            if not isinstance(options, dict):
                raise ValueError(f"`{vendor}` must be an object")
            if not isinstance(options.get("args", []), list):
                raise ValueError(f"`args` of `{vendor}` must be a list")
        if capabilities.get("pageLoadStrategy", "normal") not in _PAGE_LOAD_STRATEGIES:
            raise ValueError("`pageLoadStrategy` must be normal or eager, since a check waits for its pages")
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
