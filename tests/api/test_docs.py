"""The description of the API, readable without the internet."""

import re
from typing import Any

import httpx


async def test_the_page_needs_nothing_from_elsewhere(api: httpx.AsyncClient) -> None:
    page = await api.get("http://localhost/docs")
    assert page.status_code == 200
    assert "://" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) == 4
    for link in links:
        assert (await api.get(f"http://localhost/{link}")).status_code == 200


async def test_every_operation_is_explained_and_declares_its_problems(api: httpx.AsyncClient) -> None:
    description = (await api.get("http://localhost/openapi.json")).json()
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation.get("description"), where
            if not path.startswith("/api/v1"):
                continue
            assert {"401", "403", "422", "503"} <= operation["responses"].keys(), where
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"], where
            if "requestBody" in operation:
                assert has_example(operation["requestBody"], description), where


def has_example(body: dict[str, Any], description: dict[str, Any]) -> bool:
    content = body["content"]["application/json"]
    if "example" in content:
        return True
    schemas = [content["schema"], *content["schema"].get("anyOf", [])]
    names = [schema["$ref"].rpartition("/")[2] for schema in schemas if "$ref" in schema]
    return any("examples" in description["components"]["schemas"][name] for name in names)
