"""What logs in at an account that was stopped is paused, and its refused checks are failing."""

from collections import Counter

from services.scheduler.stopped_accounts import pause_stopped_accounts
from tests.scheduler.world import World

_ACCOUNT = "INSERT INTO accounts (fingerprint, rejections, stopped_at) VALUES ('ab12', 3, :stopped_at)"
_USE = "INSERT INTO account_uses VALUES ('ab12', 'acme', :check)"
_STATE = (
    'INSERT INTO check_states (partner, browser, "check", state, failures_in_a_row, passes_in_a_row, outcome_code)'
    " VALUES ('acme', :browser, 'login', :state, 1, 0, :code)"
)


async def stop_account(world: World, check: str = "login", stopped: bool = True) -> None:
    await world.execute(_ACCOUNT, stopped_at=world.clock.now() if stopped else None)
    await world.execute(_USE, check=check)


async def test_the_job_configuration_is_paused_with_the_reason_and_what_waits_ends(world: World) -> None:
    schedule = await world.schedule(world.in_seconds(60), configuration=world.configuration)
    due, ahead = await world.job(schedule, due_in=-1), await world.job(schedule, due_in=30)
    await stop_account(world)
    not_run: Counter[str] = Counter()
    for _ in range(2):
        await pause_stopped_accounts(world.engine, not_run)
    row = await world.one("SELECT * FROM job_configurations")
    assert (row.paused_by, row.paused_until) == ("parakeet", None)
    assert row.paused_reason == (
        "3 log-ins were refused in a row: paused, so that the account is not locked. Mend the credentials, then resume."
    )
    assert (await world.one("SELECT next_due = 'infinity' FROM schedules"))[0]
    assert [(result.id, result.outcome_code) for result in await world.results()] == [(due, "cancelled")]
    assert await world.jobs() == []
    assert ahead != due
    assert not_run == {"cancelled": 1}


async def test_what_runs_is_left_to_end(world: World) -> None:
    schedule = await world.schedule(world.in_seconds(60), configuration=world.configuration)
    job = await world.job(schedule, due_in=-5, state="running", attempt=1)
    await stop_account(world)
    await pause_stopped_accounts(world.engine, Counter())
    assert [row.id for row in await world.jobs()] == [job]


async def test_checks_that_do_not_log_in_there_go_on(world: World) -> None:
    await world.schedule(world.in_seconds(60), configuration=world.configuration)
    await stop_account(world, check="sso")
    await pause_stopped_accounts(world.engine, Counter())
    assert (await world.one("SELECT paused_at FROM job_configurations")).paused_at is None


async def test_an_account_that_is_not_stopped_pauses_nothing(world: World) -> None:
    await stop_account(world, stopped=False)
    await pause_stopped_accounts(world.engine, Counter())
    assert (await world.one("SELECT paused_at FROM job_configurations")).paused_at is None


async def test_what_is_due_and_not_planned_yet_is_planned_first(world: World) -> None:
    await world.schedule(world.in_seconds(-1), configuration=world.configuration)
    await stop_account(world)
    await pause_stopped_accounts(world.engine, Counter())
    assert (await world.one("SELECT paused_at FROM job_configurations")).paused_at is None
    await world.execute("UPDATE schedules SET next_due = :due", due=world.in_seconds(60))
    await pause_stopped_accounts(world.engine, Counter())
    assert (await world.one("SELECT paused_at FROM job_configurations")).paused_at is not None


async def test_a_check_that_was_refused_is_failing_in_each_browser_and_no_other(world: World) -> None:
    for browser, code in (("chromium", "credentials_rejected"), ("firefox", "mfa_rejected"), ("webkit", "success")):
        await world.execute(_STATE, browser=browser, state="working", code=code)
    await stop_account(world)
    await pause_stopped_accounts(world.engine, Counter())
    states = await world.execute("SELECT browser, state FROM check_states")
    assert {row.browser: row.state for row in states} == {
        "chromium": "failing",
        "firefox": "failing",
        "webkit": "working",
    }
