"""Flows of partners and their validation: taken, shown, patched, and never with a credential in them."""

import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import ACME, Service, fields, problem

SECRET = ACME["credentials"]["password"]


def flow(*steps: dict[str, Any]) -> dict[str, Any]:
    begin = {"do": "navigate"}
    return {"steps": [begin, *steps, {"do": "expect", "element_visible": [{"css": "#a"}, {"text": "Account"}]}]}


def fill(value: str) -> dict[str, Any]:
    return {"do": "fill", "locators": [{"css": "#p"}], "value": value}


async def test_each_check_has_a_flow_of_its_own_that_is_read_as_it_was_sent(api: httpx.AsyncClient) -> None:
    sent = {name: {"flow": flow(fill(f"{name} {{{{username}}}}"))} for name in ("login", "sso", "express_checkout")}
    product_page = {"url": "https://shop.acme.example/p/1", "flow": flow()}
    made = await api.post("/partners", json={**ACME, **sent, "product_page": product_page})
    assert made.status_code == 201, made.text
    read = (await api.get("/partners/acme")).json()
    for name in sent:
        assert read[name]["flow"]["steps"][1]["value"] == name + " {{username}}"
    # What is read can be sent again.
    again = {name: {"flow": read[name]["flow"]} for name in (*sent, "product_page")}
    assert (await api.patch("/partners/acme", json=again)).json()["login"] == read["login"]


async def test_a_patch_replaces_the_steps_and_null_is_the_automatic_way(
    api: httpx.AsyncClient, acme: dict[str, Any]
) -> None:
    changed = await api.patch("/partners/acme", json={"login": {"flow": flow()}, "sso": {"flow": flow()}})
    assert changed.status_code == 200, changed.text
    changed = await api.patch("/partners/acme", json={"login": {"flow": {"steps": [{"do": "log_in"}]}}})
    assert [step["do"] for step in changed.json()["login"]["flow"]["steps"]] == ["log_in"]
    changed = await api.patch("/partners/acme", json={"login": {"flow": None}})
    assert changed.json()["login"] == acme["login"]
    assert changed.json()["sso"]["flow"] is not None


async def test_what_is_wrong_with_a_flow_is_told_by_step(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    wrong = flow({"do": "click", "locators": [{"css": ""}, {"css": "a", "xpath": "b"}]}, {"do": "fly"})
    at = ["login.flow.steps.1.locators.0.css", "login.flow.steps.1.locators.1", "login.flow.steps.2"]
    assert fields(await api.patch("/partners/acme", json={"login": {"flow": wrong}})) == at
    assert fields(await api.post("/partners", json={**ACME, "code": "x", "login": {"flow": wrong}})) == at


async def test_a_stored_credential_is_no_constant(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    for_sso = {"username": "sso-probe", "password": "another-secret"}
    assert (await api.patch("/partners/acme", json={"sso": {"credentials": for_sso}})).status_code == 200
    for value, hint in ((SECRET, "{{password}}"), ("probe-user", "{{username}}"), ("another-secret", "{{password}}")):
        refused = await api.patch("/partners/acme", json={"login": {"flow": flow(fill(value))}})
        assert fields(refused) == ["login.flow.steps.1.value"]
        assert hint in refused.json()["errors"][0]["message"]
        assert value not in refused.text
    made = await api.post("/partners", json={**ACME, "code": "x", "login": {"flow": flow(fill(SECRET))}})
    assert fields(made) == ["login.flow.steps.1.value"]


async def test_nor_may_new_credentials_be_what_a_flow_holds(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    harmless = {"login": {"flow": flow(fill("later-a-secret"))}}
    assert (await api.patch("/partners/acme", json=harmless)).status_code == 200
    changed = {"credentials": {"username": "probe-user", "password": "later-a-secret"}}
    assert fields(await api.patch("/partners/acme", json=changed)) == ["login.flow.steps.1.value"]


async def test_an_unreadable_secret_does_not_keep_a_flow_from_being_edited(
    api: httpx.AsyncClient, service: Service, acme: dict[str, Any]
) -> None:
    await service.execute("UPDATE partners SET sealed_credentials = 'gibberish'")
    assert (await api.patch("/partners/acme", json={"login": {"flow": flow()}})).status_code == 200


@pytest.mark.parametrize("given", [None, 5, "x", [], {}, {"steps": 5}, {"steps": [[]]}, {"steps": [{"do": {}}]}])
async def test_any_json_is_validated(api: httpx.AsyncClient, given: Any) -> None:
    answer = (await api.post("/flows/validate", json={"flow": given})).json()
    assert answer["valid"] is False
    assert answer["errors"][0]["field"].startswith(("flow", "steps"))


async def test_errors_and_warnings_of_a_flow(api: httpx.AsyncClient) -> None:
    good = await api.post("/flows/validate", json={"flow": flow()})
    assert good.json() == {"valid": True, "errors": [], "warnings": []}
    wrong = await api.post("/flows/validate", json={"flow": flow({"do": "click", "locators": [{"css": " "}]})})
    assert [each["field"] for each in wrong.json()["errors"]] == ["steps.1.locators.0.css"]
    binding = flow({"do": "click", "locators": [{"text": "Place order"}]})
    warned = (await api.post("/flows/validate", json={"flow": binding})).json()
    assert (warned["valid"], [each["field"] for each in warned["warnings"]]) == (True, ["steps.1"])


async def test_a_flow_is_validated_for_a_partner(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    sent = {"partner": "acme", "flow": flow(fill(SECRET))}
    answer = await api.post("/flows/validate", json=sent)
    assert [each["field"] for each in answer.json()["errors"]] == ["steps.1.value"]
    assert SECRET not in answer.text
    asks = {"partner": "acme", "flow": flow(fill("{{password}}"), fill("{{totp}}"))}
    warned = (await api.post("/flows/validate", json=asks)).json()
    assert [each["message"] for each in warned["warnings"]] == [
        "asks for {{totp}}, of which the partner has none stored"
    ]
    unknown = await api.post("/flows/validate", json={"partner": "nobody", "flow": flow()})
    problem(unknown, 404, "not_found")


def test_every_reference_of_the_description_leads_somewhere(service: Service) -> None:
    description = service.app.openapi()
    schemas = description["components"]["schemas"]
    text = json.dumps(description)
    found = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert found <= schemas.keys()
    assert "#/$defs/" not in text
    steps = schemas["Flow"]["properties"]["steps"]["items"]
    assert set(steps["discriminator"]["mapping"]) >= {"navigate", "log_in", "totp"}
    assert schemas["ClickStep"]["additionalProperties"] is False
