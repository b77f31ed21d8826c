"""The catalogue."""

import httpx

from shared.domain.outcome import CATALOGUE


async def test_every_code_of_the_catalogue_is_listed(api: httpx.AsyncClient) -> None:
    items = (await api.get("/outcome-types")).json()["items"]
    assert [item["code"] for item in items] == list(CATALOGUE)
    assert items[1] == {
        "code": "slow",
        "class": "degraded",
        "success": True,
        "description": "It works, but took longer than the warning limit.",
    }
