"""Partners: what is sent is what is read, except secrets."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import ACME, EVERY_QUARTER, Service, fields, problem

WHOLE: dict[str, Any] = {
    "code": "whole",
    "name": "Whole Ltd.",
    "active": False,
    "inactive_reason": "not signed yet",
    "entry_point": "https://whole.example/login?next=%2F",
    "credentials": {"username": "u", "password": "p w", "totp_secret": "JBSW Y3DP EHPK 3PXP"},
    "login": {"signed_in_marker": {"text": "My orders", "css": None}, "flow": None},
    "sso": {
        "enabled": True,
        "entry_point": "https://whole.example/sso",
        "credentials": None,
        "signed_in_marker": {"text": None, "css": "header .avatar"},
        "flow": None,
    },
    "product_page": {"url": "https://whole.example/p/1", "expect_text": "Add to basket", "flow": None},
    "express_checkout": {"enabled": False, "entry_point": None, "expect_text": None, "flow": None},
    "wait_override_seconds": 2.5,
    "tags": ["emea", "tier-1"],
    "notes": "Two\nlines — and Ünïcode",
}


async def test_a_partner_is_read_as_it_was_sent_without_its_secrets(api: httpx.AsyncClient) -> None:
    made = await api.post("/partners", json=WHOLE)
    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/partners/whole"
    read = (await api.get("/partners/whole")).json()
    assert read == made.json()
    everything = {"username_set": True, "password_set": True, "totp_secret_set": True}
    nothing = {"username_set": False, "password_set": False, "totp_secret_set": False}
    expected = {**WHOLE, "credentials": everything, "sso": {**WHOLE["sso"], "credentials": nothing}}
    assert {name: read[name] for name in WHOLE} == expected
    assert read["created_at"].endswith("Z")


async def test_only_code_name_and_entry_point_are_required(api: httpx.AsyncClient) -> None:
    made = await api.post("/partners", json={"code": "a", "name": "A", "entry_point": "http://a.example"})
    assert made.status_code == 201
    assert fields(await api.post("/partners", json={})) == ["code", "name", "entry_point"]


async def test_a_code_is_taken_once(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    assert fields(await api.post("/partners", json=ACME), 409, "already_exists") == ["code"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"credentials": {"username": "u", "password": "p", "pin": "1"}}, "credentials.pin"),
        ({"credentials": {"username": "u", "password": "p", "totp_secret": "not base32!"}}, "credentials.totp_secret"),
        (
            {"credentials": {"username": "u", "password": "p", "totp_secret": "otpauth://hotp/x?secret=JBSWY3DP"}},
            "credentials.totp_secret",
        ),
        ({"login": {"signed_in_marker": {}}}, "login.signed_in_marker"),
        ({"login": {"signed_in_marker": {"text": "a", "css": "b"}}}, "login.signed_in_marker"),
        ({"login": {"signed_in_marker": {"text": " "}}}, "login.signed_in_marker.text"),
        ({"sso": {"signed_in_marker": {"css": "//div"}}}, "sso.signed_in_marker.css"),
        ({"code": "Acme"}, "code"),
        ({"code": "-acme"}, "code"),
        ({"code": "a" * 64}, "code"),
        ({"code": "acme\n"}, "code"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": 5}, "name"),
        ({"name": None}, "name"),
        ({"active": "yes"}, "active"),
        ({"entry_point": "ftp://a.example"}, "entry_point"),
        ({"entry_point": "javascript:alert(1)"}, "entry_point"),
        ({"entry_point": "https://"}, "entry_point"),
        ({"entry_point": "https:///path"}, "entry_point"),
        ({"entry_point": "https://user:secret@a.example"}, "entry_point"),
        ({"entry_point": "https://a.example/\0"}, "entry_point"),
        ({"entry_point": "https://[::1"}, "entry_point"),
        ({"entry_point": "https://a.example:99999/"}, "entry_point"),
        ({"entry_point": "https://a.example:6667/"}, "entry_point"),
        ({"entry_point": "https://a.example/" + "x" * 2048}, "entry_point"),
        ({"sso": {"entry_point": "file:///etc/passwd"}}, "sso.entry_point"),
        ({"product_page": {"expect_text": "x"}}, "product_page.url"),
        ({"login": {"flow": {"steps": []}}}, "login.flow.steps"),
        (
            {"product_page": {"url": "https://a.example", "flow": {"steps": [{"do": "fly"}]}}},
            "product_page.flow.steps.0",
        ),
        ({"wait_override_seconds": -1}, "wait_override_seconds"),
        ({"wait_override_seconds": 1e9}, "wait_override_seconds"),
        ({"tags": ["a", "a"]}, "tags"),
        ({"tags": ["a", ""]}, "tags.1"),
        ({"notes": "x" * 10_001}, "notes"),
    ],
)
async def test_what_can_not_be_is_refused_by_the_name_of_the_field(
    api: httpx.AsyncClient, acme: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    assert fields(await api.post("/partners", json={**ACME, "code": "other", **change})) == [field]
    assert fields(await api.patch("/partners/acme", json=change)) == [field]
    assert (await api.get("/partners/acme")).json() == acme


async def test_a_one_time_secret_may_be_an_otpauth_address(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    address = "otpauth://totp/Acme:probe?secret=JBSWY3DPEHPK3PXP&algorithm=SHA256&digits=8&period=60"
    sent = {"username": "u", "password": "p", "totp_secret": address}
    read = (await api.patch("/partners/acme", json={"credentials": sent})).json()
    assert read["credentials"]["totp_secret_set"] is True
    wrong = await api.patch("/partners/acme", json={"credentials": {"totp_secret": address.replace("SHA256", "MD5")}})
    assert fields(wrong) == ["credentials.totp_secret"]
    assert "JBSWY3DPEHPK3PXP" not in wrong.text


async def test_credentials_need_a_password(api: httpx.AsyncClient) -> None:
    answer = await api.post("/partners", json={**ACME, "credentials": {"username": "u"}})
    assert fields(answer) == ["credentials.password"]


async def test_numbers_that_json_does_not_know_are_refused(api: httpx.AsyncClient) -> None:
    body = '{"code": "a", "name": "A", "entry_point": "http://a.example", "wait_override_seconds": NaN}'
    answer = await api.post("/partners", content=body, headers={"Content-Type": "application/json"})
    assert fields(answer) == ["wait_override_seconds"]


async def test_half_a_character_is_refused(api: httpx.AsyncClient) -> None:
    for body in (r'{"code": "a", "name": "\ud800", "entry_point": "http://a.example"}', r'{"\ud800": 1}'):
        answer = await api.post("/partners", content=body, headers={"Content-Type": "application/json"})
        problem(answer, 422, "invalid_request")


async def test_a_patch_changes_only_what_it_names(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    patched = (await api.patch("/partners/acme", json={"name": "Acme SE", "sso": {"enabled": True}})).json()
    assert patched["name"] == "Acme SE"
    assert patched["sso"]["enabled"] is True
    assert patched["credentials"] == acme["credentials"]
    assert patched["updated_at"] > acme["updated_at"]


async def test_null_in_a_patch_brings_the_default_back(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    await api.patch("/partners/acme", json={"notes": "x", "product_page": {"url": "https://a.example/p"}})
    patched = (await api.patch("/partners/acme", json={"notes": None, "product_page": None})).json()
    assert (patched["notes"], patched["product_page"]) == ("", None)


async def test_a_code_never_changes(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    assert fields(await api.patch("/partners/acme", json={"code": "acme2"})) == ["code"]


async def test_one_credential_is_changed_without_sending_the_others(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    patched = await api.patch("/partners/acme", json={"credentials": {"password": "new-password"}})
    assert patched.json()["credentials"]["password_set"] is True
    sealed = (await service.execute("SELECT sealed_credentials FROM partners"))[0]["sealed_credentials"]
    opened = service.resources.secret_box.open(bytes(sealed))
    assert opened == {"username": "probe-user", "password": "new-password", "totp_secret": None}


async def test_credentials_are_taken_away_by_null(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    patched = (await api.patch("/partners/acme", json={"credentials": None})).json()
    assert patched["credentials"]["password_set"] is False


@pytest.mark.parametrize("name", ["colour", "login.colour", "credentials.pin"])
async def test_null_takes_nothing_away_that_there_can_not_be(
    api: httpx.AsyncClient, acme: dict[str, Any], name: str
) -> None:
    body: Any = None
    for part in reversed(name.split(".")):
        body = {part: body}
    assert fields(await api.patch("/partners/acme", json=body)) == [name]


async def test_a_patch_must_be_an_object(api: httpx.AsyncClient, acme: dict[str, Any]) -> None:
    assert fields(await api.patch("/partners/acme", json=[1])) == ["body"]


async def test_an_unknown_partner_is_not_found(api: httpx.AsyncClient) -> None:
    for answer in (
        await api.get("/partners/nobody"),
        await api.patch("/partners/nobody", json={}),
        await api.delete("/partners/nobody"),
        await api.get("/partners/nobody/status"),
        await api.get("/partners/nobody/job-configurations"),
    ):
        problem(answer, 404, "not_found")


async def test_deleting_a_partner_takes_its_job_configurations_and_states_along(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    await service.execute(
        'INSERT INTO check_states (partner, browser, "check", state, failures_in_a_row, passes_in_a_row)'
        " VALUES ('acme', 'chromium', 'login', 'working', 0, 1)"
    )
    assert (await api.delete("/partners/acme")).status_code == 204
    for table in ("partners", "job_configurations", "schedules", "check_states"):
        assert await service.execute(f"SELECT * FROM {table}") == []


async def test_making_a_partner_inactive_stops_its_schedules(
    api: httpx.AsyncClient, configuration: dict[str, Any], service: Service
) -> None:
    patched = await api.patch("/partners/acme", json={"active": False, "inactive_reason": "contract ended"})
    assert patched.json()["inactive_reason"] == "contract ended"
    assert (await service.execute("SELECT next_due = 'infinity' AS never FROM schedules"))[0]["never"]
    back = await api.patch("/partners/acme", json={"active": True})
    assert back.json()["inactive_reason"] is None
    assert (await service.execute("SELECT next_due < now() + interval '16 minutes' AS soon FROM schedules"))[0]["soon"]


async def test_a_partner_made_inactive_first_gives_schedules_that_never_come(
    api: httpx.AsyncClient, acme: dict[str, Any], service: Service
) -> None:
    await api.patch("/partners/acme", json={"active": False})
    (await api.post("/job-configurations", json=EVERY_QUARTER)).raise_for_status()
    assert (await service.execute("SELECT next_due = 'infinity' AS never FROM schedules"))[0]["never"]


async def test_the_list_comes_in_pages_that_leave_nothing_out(api: httpx.AsyncClient) -> None:
    codes = [f"p-{number:02}" for number in range(7)]
    for code in reversed(codes):
        await api.post("/partners", json={**ACME, "code": code})
    seen: list[str] = []
    cursor: str | None = None
    while True:
        asked: dict[str, Any] = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/partners", params=asked)).json()
        seen += [partner["code"] for partner in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == codes


async def test_its_job_configurations_are_listed(api: httpx.AsyncClient, configuration: dict[str, Any]) -> None:
    listed = (await api.get("/partners/acme/job-configurations")).json()
    assert listed == {"items": [configuration], "next_cursor": None}
