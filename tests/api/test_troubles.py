"""Nodes that are avoided and accounts that were stopped, as people and Prometheus see them."""

from typing import Any

import httpx

from tests.api.conftest import Service
from tests.api.test_stopped_accounts import stop_account

_NODE = (
    "INSERT INTO grid_nodes VALUES (:node, :failures, 'browser_crashed', now(),"
    " now() + CAST(:pause AS float) * interval '1 second')"
)


async def test_nodes_and_accounts_are_listed(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await service.execute(_NODE, node="http://n1:5555", failures=3, pause=300)
    await service.execute(_NODE, node="http://n2:5555", failures=1, pause=-1)
    await stop_account(service)
    view = (await api.get("/infrastructure")).json()
    nodes = {node["node"]: node for node in view["nodes"]}
    assert nodes["http://n1:5555"]["failures_in_a_row"] == 3
    assert nodes["http://n1:5555"]["avoided_until"] is not None
    assert nodes["http://n2:5555"]["avoided_until"] is None
    [stopped] = view["accounts"]["stopped"]
    assert (stopped["partners"], stopped["rejections"], view["accounts"]["in_use"]) == (["acme"], 3, 0)
    assert "ab12" not in str(view)
    metrics = (await api.get("http://localhost/metrics")).text
    assert "parakeet_grid_nodes_avoided 1.0" in metrics
    assert "parakeet_accounts_stopped 1.0" in metrics
