"""The demo jobs as they are sent to Parakeet's API."""

from typing import Any


def demo_jobs(base_url: str) -> list[dict[str, Any]]:
    """The bodies of POST /jobs, one per demo job."""
    hooks = f"{base_url.rstrip('/')}/hooks"
    return [
        _job("Stock export (works)", "The shop takes it every minute.", f"{hooks}/accept"),
        _job("Invoices (rejected)", "The shop answers that there is no such account.", f"{hooks}/reject"),
    ]


def _job(name: str, description: str, callback_url: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "schedule": "* * * * *",
        "job": {"callback_url": callback_url, "http_method": "post", "payload": {}},
        "timezone": "UTC",
        "timeout_seconds": 10,
        "enabled": True,
    }
