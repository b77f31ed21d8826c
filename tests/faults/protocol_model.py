"""The protocol of a due moment as a small machine, every reachable state of which is looked at.

plan -> publish -> confirm -> Redis key -> mark dispatched -> claim -> execute -> record -> ack, by two schedulers that
both believe they own the schedule and two runners, with at most so many faults of any kind at any point. Time is left
out: whatever may happen, may happen next. Claims are told apart by the attempt's number, which each claim raises.
Redis keys do not expire here: for a due moment their ten minutes are for ever.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Mutation(StrEnum):
    MARK_BEFORE_PUBLISH = "mark_before_publish"
    REDIS_BEFORE_PUBLISH = "redis_before_publish"  # SET NX; whoever finds the key set leaves it to the other
    NEVER_REPUBLISH = "never_republish"
    NO_LEASE_SWEEP = "no_lease_sweep"
    RESCUE_ON_STALE_READ = "rescue_on_stale_read"  # UPDATE by id alone, some time after the SELECT
    RESCUE_WRITES_ROW_BACK = "rescue_writes_row_back"  # the same, as an upsert of what was read
    FINISH_BY_STATE = "finish_by_state"
    PLAN_WITHOUT_COMPARE = "plan_without_compare"  # the old due moment is not looked at again


class Broken(StrEnum):
    RECORDED_TWICE = "recorded twice"
    WRONG_HOLDER = "recorded by a runner that does not hold the claim"
    ROBBED = "a claim was taken away before its lease ended"
    LOST = "without further faults no record can be reached"
    STUCK = "nothing more can happen, and not every moment is recorded once"
    ROUND_AND_ROUND = "it can go on for ever without a record"
    STRANDED = "the broker was never wiped, yet only the sweep of what is unclaimed for 120 s saves it"


class Kind(StrEnum):
    STEP = "step"
    SLOW = "slow step"
    FAULT = "fault"


class Row(NamedTuple):
    state: str  # planned, dispatched, running
    attempt: int
    publication: int
    leased: bool


class Owner(NamedTuple):
    """A scheduler process, and the entry it has in hand."""

    phase: str = "idle"
    moment: int = -1
    attempt: int = -1
    publication: int = -1
    again: bool = False


class Runner(NamedTuple):
    """`delivery`: the broker holds its message unacknowledged. In `working` and `recorded`, `attempt` is the token."""

    phase: str = "idle"
    moment: int = -1
    attempt: int = -1
    delivery: bool = False


class State(NamedTuple):
    planned: int
    rows: tuple[Row | None, ...]
    records: tuple[int, ...]
    owners: tuple[Owner, ...]
    runners: tuple[Runner, ...]
    messages: tuple[tuple[int, int], ...]
    keys: frozenset[tuple[int, int, int]]
    rescue: tuple[int, Row] | None
    faults: int
    wiped: bool
    broken: str


IDLE, RESTING = Owner(), Runner()
Step = tuple[str, Kind, State]


class Protocol:
    def __init__(self, *mutations: Mutation, moments: int = 1, faults: int = 2, wipes: bool = True) -> None:
        self.mutations = frozenset(mutations)
        self.moments, self.faults, self.wipes = moments, faults, wipes
        self._first = Mutation.REDIS_BEFORE_PUBLISH in mutations
        late = {Mutation.RESCUE_ON_STALE_READ, Mutation.RESCUE_WRITES_ROW_BACK}
        self._rescues_late = not late.isdisjoint(mutations)

    def start(self) -> State:
        none: tuple[Row | None, ...] = (None,) * self.moments
        pairs = (IDLE,) * 2, (RESTING,) * 2
        return State(0, none, (0,) * self.moments, *pairs, (), frozenset(), None, self.faults, False, "")

    def steps(self, state: State) -> Iterator[Step]:
        """All that can happen next. A fault takes one of those that are left."""
        return ((name, kind, _without_old_keys(after)) for name, kind, after in self._steps(state))

    def _steps(self, state: State) -> Iterator[Step]:
        for place, owner in enumerate(state.owners):
            # Of two processes in the same state one is enough to look at.
            if owner not in state.owners[:place]:
                yield from self._owner(state, place, owner)
        for place, runner in enumerate(state.runners):
            if runner not in state.runners[:place]:
                yield from self._runner(state, place, runner)
        for moment, row in enumerate(state.rows):
            if row is not None:
                yield from self._sweeper(state, moment, row)
        if self._rescues_late:
            yield from self._late_rescuer(state)
        if state.faults:
            hurt = state._replace(faults=state.faults - 1)
            yield from ((name, Kind.FAULT, after) for name, after in self._faults(hurt))

    def _owner(self, state: State, place: int, owner: Owner) -> Iterator[Step]:
        phase, moment, attempt, publication, again = owner
        key = (moment, attempt, publication)
        match phase:
            case "idle":
                if state.planned < self.moments:
                    yield "read next due", Kind.STEP, own(state, place, Owner("planning", state.planned))
                for number, row in enumerate(state.rows):
                    if row is not None and row.state == "planned":
                        begin = self._begin()
                        # Only the look at the key asks whether it is overdue.
                        for overdue in (False, True) if begin == "look" else (False,):
                            entry = Owner(begin, number, row.attempt, row.publication, overdue)
                            name = f"load {number}/{row.attempt}/{row.publication}{' overdue' * overdue}"
                            yield name, Kind.STEP, own(state, place, entry)
            case "planning":
                yield f"plan {moment}", Kind.STEP, self._plan(own(state, place, IDLE), moment)
            case "look" if again and key in state.keys:
                yield "skip: key is set", Kind.STEP, own(state, place, owner._replace(phase="mark", again=False))
            case "set" if key in state.keys:
                yield "leave it to the other: key is set", Kind.STEP, own(state, place, IDLE)
            case "set":
                after = own(state, place, owner._replace(phase="publish"))
                yield "SET NX key", Kind.STEP, after._replace(keys=state.keys | {key})
            case "look" | "publish":
                then = "mark" if self._first else "key"
                last = Mutation.MARK_BEFORE_PUBLISH in self.mutations
                after = own(state, place, IDLE if last else owner._replace(phase=then, again=False))
                yield f"publish {moment}/{attempt}, confirmed", Kind.STEP, send(after, moment, attempt)
            case "key":
                after = own(state, place, owner._replace(phase="mark"))
                yield "set key", Kind.STEP, after._replace(keys=state.keys | {key})
            case "mark":
                row = state.rows[moment]
                first = Mutation.MARK_BEFORE_PUBLISH in self.mutations
                after = own(state, place, owner._replace(phase="publish") if first else IDLE)
                if row is not None and row[:3] == ("planned", attempt, publication):
                    after = put(after, moment, row._replace(state="dispatched"))
                yield f"mark {moment}/{attempt}/{publication}", Kind.STEP, after

    def _begin(self) -> str:
        if Mutation.MARK_BEFORE_PUBLISH in self.mutations:
            return "mark"
        return "set" if self._first else "look"

    def _plan(self, state: State, moment: int) -> State:
        if state.planned != moment and Mutation.PLAN_WITHOUT_COMPARE not in self.mutations:
            return state
        state = state._replace(planned=max(state.planned, moment + 1))
        # INSERT .. ON CONFLICT DO NOTHING: it meets a live row, but not one that is recorded and gone.
        return state if state.rows[moment] else put(state, moment, Row("planned", 0, 0, False))

    def _runner(self, state: State, place: int, runner: Runner) -> Iterator[Step]:
        phase, moment, attempt, delivery = runner
        match phase:
            case "idle":
                for message in sorted(set(state.messages)):
                    after = run(take(state, message), place, Runner("received", *message, True))
                    yield f"deliver {message[0]}/{message[1]}", Kind.STEP, after
            case "received":
                row = state.rows[moment]
                if row is not None and row.state != "running" and row.attempt == attempt:
                    after = put(state, moment, Row("running", attempt + 1, 0, True))
                    claimed = Runner("working", moment, attempt + 1, delivery)
                    yield f"claim {moment}/{attempt + 1}", Kind.STEP, run(after, place, claimed)
                else:
                    yield "nothing to claim, ack", Kind.STEP, run(state, place, RESTING)
            case "working":
                after = self._record(run(state, place, runner._replace(phase="recorded")), moment, attempt)
                yield f"execute, record {moment}/{attempt}", Kind.STEP, after
            case "recorded":
                yield "ack", Kind.STEP, run(state, place, RESTING)

    def _record(self, state: State, moment: int, token: int) -> State:
        row = state.rows[moment]
        if row is None or row.state != "running":
            return state
        if row.attempt != token:
            if Mutation.FINISH_BY_STATE not in self.mutations:
                return state
            state = state._replace(broken=Broken.WRONG_HOLDER)
        count = state.records[moment] + 1
        records = (*state.records[:moment], count, *state.records[moment + 1 :])
        state = put(state, moment, None)._replace(records=records)
        return state._replace(broken=Broken.RECORDED_TWICE) if count > 1 else state

    def _sweeper(self, state: State, moment: int, row: Row) -> Iterator[Step]:
        if row.state == "dispatched" and Mutation.NEVER_REPUBLISH not in self.mutations:
            again = put(state, moment, Row("planned", row.attempt, row.publication + 1, False))
            if not (underway(state, moment, row.attempt) or any(owner.moment == moment for owner in state.owners)):
                yield f"unclaimed for 120 s: plan {moment} again", Kind.SLOW, again
            elif state.faults:
                hurt = again._replace(faults=state.faults - 1)
                yield f"slow queue: plan {moment} again", Kind.FAULT, hurt
        if row.state == "running" and row.leased:
            ended = put(state, moment, row._replace(leased=False))
            if not any(runner[:3] == ("working", moment, row.attempt) for runner in state.runners):
                yield f"lease of {moment}/{row.attempt} ends", Kind.STEP, ended
            elif state.faults:
                yield "runner paused past its lease", Kind.FAULT, ended._replace(faults=state.faults - 1)
        if row.state == "running" and not row.leased and Mutation.NO_LEASE_SWEEP not in self.mutations:
            yield f"sweep {moment}/{row.attempt}", Kind.STEP, put(state, moment, Row("planned", row.attempt, 0, False))

    def _late_rescuer(self, state: State) -> Iterator[Step]:
        if state.rescue is None:
            for moment, row in enumerate(state.rows):
                if row is not None and row.state == "running" and not row.leased:
                    yield "rescuer reads", Kind.STEP, state._replace(rescue=(moment, row))
            return
        moment, read = state.rescue
        row, after = state.rows[moment], state._replace(rescue=None)
        if row is not None or Mutation.RESCUE_WRITES_ROW_BACK in self.mutations:
            attempt = read.attempt if row is None else row.attempt
            after = put(after, moment, Row("planned", attempt, 0, False))
        if row is not None and row.leased and Mutation.RESCUE_ON_STALE_READ in self.mutations:
            after = after._replace(broken=Broken.ROBBED)
        yield f"rescuer writes {moment}", Kind.STEP, after

    def _faults(self, state: State) -> Iterator[tuple[str, State]]:
        for place, owner in enumerate(state.owners):
            if owner is not IDLE:
                yield "scheduler crashes", own(state, place, IDLE)
            if owner.phase in {"look", "publish"}:
                yield "confirm lost, published", own(send(state, owner.moment, owner.attempt), place, IDLE)
                yield "publish lost", own(state, place, IDLE)
            if owner.phase == "key":
                yield "Redis down", own(state, place, owner._replace(phase="mark"))
            if owner.phase in {"look", "set"} and owner[1:4] in state.keys:
                yield "Redis down", own(state, place, owner._replace(phase="publish"))
        for place, runner in enumerate(state.runners):
            back = (
                send(state, runner.moment, runner.attempt - (runner.phase != "received")) if runner.delivery else state
            )
            if runner is not RESTING:
                yield "runner crashes", run(back, place, RESTING)
            if runner.delivery:
                yield "delivered again", run(back, place, runner._replace(delivery=False))
        if state.keys:
            yield "Redis wiped", state._replace(keys=frozenset())
        if self.wipes and (state.messages or any(runner.delivery for runner in state.runners)):
            runners = tuple(sorted(runner._replace(delivery=False) for runner in state.runners))
            yield "broker wiped", state._replace(messages=(), runners=runners, wiped=True)


def own(state: State, place: int, owner: Owner) -> State:
    return state._replace(owners=tuple(sorted((owner, state.owners[1 - place]))))


def run(state: State, place: int, runner: Runner) -> State:
    return state._replace(runners=tuple(sorted((runner, state.runners[1 - place]))))


def put(state: State, moment: int, row: Row | None) -> State:
    return state._replace(rows=(*state.rows[:moment], row, *state.rows[moment + 1 :]))


def send(state: State, moment: int, attempt: int) -> State:
    return state._replace(messages=tuple(sorted((*state.messages, (moment, attempt)))))


def take(state: State, message: tuple[int, int]) -> State:
    place = state.messages.index(message)
    return state._replace(messages=state.messages[:place] + state.messages[place + 1 :])


def underway(state: State, moment: int, attempt: int) -> bool:
    received = ("received", moment, attempt)
    return (moment, attempt) in state.messages or any(runner[:3] == received for runner in state.runners)


def _without_old_keys(state: State) -> State:
    """A key that no row and no process in hand of it names is never asked for again, and only multiplies the states."""
    if not state.keys:
        return state
    asked = {owner[1:4] for owner in state.owners}
    asked |= {(moment, row.attempt, row.publication) for moment, row in enumerate(state.rows) if row}
    return state if state.keys <= asked else state._replace(keys=state.keys & asked)
