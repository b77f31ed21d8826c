"""What people decide about an account whose log-ins were refused: resuming tries once, new credentials forget."""

from typing import Any

import httpx
import pytest

from tests.api.conftest import Service

_STOPPED = "INSERT INTO accounts (fingerprint, rejections, stopped_at) VALUES (:account, 3, now())"
_USE = "INSERT INTO account_uses VALUES (:account, 'acme', :check)"


async def stop_account(service: Service, account: str = "ab12", check: str = "login") -> None:
    await service.execute(_STOPPED, account=account)
    await service.execute(_USE, account=account, check=check)


async def account(service: Service, name: str = "ab12") -> tuple[int, bool]:
    query = "SELECT rejections, stopped_at IS NOT NULL AS stopped FROM accounts WHERE fingerprint = :name"
    [row] = await service.execute(query, name=name)
    return row["rejections"], row["stopped"]


async def test_resuming_lets_it_try_once_and_keeps_the_count(
    service: Service, api: httpx.AsyncClient, configuration: dict[str, Any]
) -> None:
    await stop_account(service)
    await stop_account(service, "other", check="sso")
    answer = await api.post(f"/job-configurations/{configuration['id']}/resume")
    assert answer.status_code == 200
    assert await account(service) == (3, False)
    assert await account(service, "other") == (3, True)


async def test_resuming_everything_of_a_partner_does_the_same(
    service: Service, api: httpx.AsyncClient, configuration: dict[str, Any]
) -> None:
    await stop_account(service)
    await api.post(f"/job-configurations/{configuration['id']}/pause", json={"reason": "refused"})
    assert (await api.post("/schedules/resume", json={"partner": "acme"})).status_code == 200
    assert await account(service) == (3, False)


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"credentials": {"password": "mended-mended"}}, (0, False)),
        ({"sso": {"credentials": {"username": "u", "password": "mended-mended"}}}, (0, False)),
        ({"name": "Acme Ltd."}, (3, True)),
    ],
)
async def test_only_new_credentials_forget_what_was_refused(
    service: Service,
    api: httpx.AsyncClient,
    configuration: dict[str, Any],
    patch: dict[str, Any],
    expected: tuple[int, bool],
) -> None:
    await stop_account(service)
    answer = await api.patch("/partners/acme", json=patch)
    assert answer.status_code == 200, answer.text
    assert await account(service) == expected


async def test_a_deleted_partner_leaves_no_use_behind(
    service: Service, api: httpx.AsyncClient, configuration: dict[str, Any]
) -> None:
    await stop_account(service)
    assert (await api.delete("/partners/acme")).status_code == 204
    assert await service.execute("SELECT * FROM account_uses") == []
