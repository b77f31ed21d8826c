"""One log-in at a time for an account, a gap between two, and none after too many were refused."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from cryptography.fernet import Fernet

from services.runner.accounts import AccountBusy, AccountCare
from services.runner.browser.attempt import CheckTask, Credentials
from services.runner.browser.task import accounts_of
from services.runner.claim import Claimed, claim_all
from services.runner.finish import Finish, finish_all
from services.runner.performed import AccountNews, Performed, Verdict
from services.runner.postponed import Refused
from shared.clock import DatabaseClock
from shared.database import connect
from shared.domain.account import log_ins
from shared.domain.flow import Flow
from shared.domain.outcome import Outcome
from shared.ledger import AttemptRecord
from shared.queue import Message
from shared.secret_box import SecretBox
from tests.scheduler.world import LANE, World

BOX = SecretBox([Fernet.generate_key().decode()])
USES = {"ab12": ("login",)}


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    engine = connect(database_url, application_name="parakeet tests", pool_size=15)
    world = World(engine, DatabaseClock(engine))
    await world.settle_in()
    yield world
    await engine.dispose()


def care(world: World, gap: float = 0) -> AccountCare:
    return AccountCare(world.engine, BOX, gap, 3)


async def claimed(world: World) -> Claimed:
    job = await world.job(due_in=-1)
    [mine] = await claim_all(world.engine, [Message(job, 0, LANE)], uuid4())
    assert mine is not None
    return mine


async def attempt(world: World, code: str, gap: float = 0) -> Claimed:
    """One attempt at the account, taken, and recorded with this outcome."""
    mine = await claimed(world)
    await care(world, gap).take(mine, "acme", USES)
    assert await finish(world, mine, code, gap)
    return mine


async def finish(world: World, mine: Claimed, code: str, gap: float = 0, token: UUID | None = None) -> bool:
    outcome = Outcome(code, "Words.")
    news = AccountNews("ab12", token or mine.token, log_ins([("login", outcome)]), gap, 3)
    record = AttemptRecord(outcome, mine.started_at, 1.0)
    performed = Performed(record, (Verdict("login", outcome, 1.0),), accounts=(news,))
    [recorded] = await finish_all(world.engine, [Finish(mine, performed)])
    return recorded


async def account(world: World) -> tuple[int, bool]:
    row = await world.one("SELECT rejections, stopped_at IS NOT NULL AS stopped FROM accounts")
    return row.rejections, row.stopped


def test_an_account_is_a_user_name_at_a_host_whatever_the_path_and_never_in_the_clear() -> None:
    def of(url: str, name: str = "probe", check: str = "login") -> set[str]:
        return set(accounts_of([CheckTask(check, url, Credentials(name, "secret"))], BOX))

    same = of("https://shop.example/login")
    assert same == of("https://SHOP.example/other?x=1", " Probe ") == of("https://shop.example/sso", check="sso")
    assert same.isdisjoint(of("https://id.example/login"))
    assert same.isdisjoint(of("https://shop.example/login", "other"))
    assert of("https://shop.example/p/1", check="product_page") == set()
    assert "probe" not in str(same)
    assert "shop" not in str(same)


def test_a_product_page_uses_one_when_its_flow_logs_in() -> None:
    shown = {"do": "expect", "text_visible": "Basket"}
    login = CheckTask("login", "https://shop.example/login", Credentials("probe", "secret"))
    for first, used in (({"do": "log_in"}, 1), ({"do": "navigate", "url": "https://shop.example/p/1"}, 0)):
        flow = Flow.model_validate({"steps": [first, shown]})
        page = CheckTask("product_page", "https://shop.example/p/1", login.credentials, None, login, flow)
        assert len(accounts_of([page], BOX)) == used


def test_a_checkout_uses_the_account_that_it_logs_in_at_first() -> None:
    login = CheckTask("login", "https://shop.example/login", Credentials("probe", "secret"))
    checkout = CheckTask("express_checkout", "https://pay.example/", login.credentials, None, login)
    assert list(accounts_of([login, checkout], BOX).values()) == [("login", "express_checkout")]


async def test_of_twenty_attempts_at_once_one_gets_the_account(world: World) -> None:
    attempts = [await claimed(world) for _ in range(20)]
    answers = await asyncio.gather(*(care(world).take(each, "acme", USES) for each in attempts), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["AccountBusy"] * 19 + ["NoneType"]


async def test_it_is_free_again_once_the_attempt_is_recorded_and_the_gap_is_over(world: World) -> None:
    await attempt(world, "success", gap=60)
    late = await claimed(world)
    with pytest.raises(AccountBusy) as busy:
        await care(world).take(late, "acme", USES)
    assert 50 < busy.value.again_in_seconds <= 60
    await world.execute("UPDATE accounts SET free_at = now()")
    await care(world).take(late, "acme", USES)


async def test_nothing_sent_means_no_gap(world: World) -> None:
    await attempt(world, "connection_refused", gap=60)
    await care(world).take(await claimed(world), "acme", USES)


async def test_a_killed_runner_frees_it_with_the_end_of_its_lease(world: World) -> None:
    lost = await claimed(world)
    await care(world).take(lost, "acme", USES)
    await world.execute("UPDATE scheduled_jobs SET lease_until = now() WHERE id = :id", id=lost.id)
    await care(world).take(await claimed(world), "acme", USES)


async def test_three_refusals_in_a_row_stop_it_and_a_success_between_does_not_count_on(world: World) -> None:
    for code, expected in (
        ("credentials_rejected", (1, False)),
        ("success", (0, False)),
        ("credentials_rejected", (1, False)),
        ("page_timeout", (1, False)),
        ("mfa_rejected", (2, False)),
        ("credentials_rejected", (3, True)),
    ):
        await attempt(world, code)
        assert await account(world) == expected
    with pytest.raises(Refused, match="3 log-ins were refused in a row"):
        await care(world).take(await claimed(world), "acme", USES)


async def test_an_attempt_that_lost_the_account_counts_nothing(world: World) -> None:
    mine = await claimed(world)
    await care(world).take(mine, "acme", USES)
    assert await finish(world, mine, "credentials_rejected", token=uuid4())
    assert await account(world) == (0, False)


async def test_all_accounts_of_an_attempt_are_taken_or_none(world: World) -> None:
    first, second = await claimed(world), await claimed(world)
    await care(world).take(first, "acme", {"b": ("sso",)})
    with pytest.raises(AccountBusy):
        await care(world).take(second, "acme", {"a": ("login",), "b": ("sso",)})
    await care(world).take(second, "acme", {"a": ("login",)})


async def test_a_time_step_is_spent_once_for_everybody_and_never_goes_back(world: World) -> None:
    answers = await asyncio.gather(*(care(world).spend(b"secret", 100) for _ in range(10)))
    assert answers.count(True) == 1
    spender = care(world).code_spender()
    assert not await asyncio.to_thread(spender, b"secret", 99)
    assert await asyncio.to_thread(spender, b"secret", 101)
    assert await asyncio.to_thread(spender, b"another", 100)
