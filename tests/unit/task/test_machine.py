"""The task interface in any order of events: between real engines' and a real client's reactors, over mail that only keeps the order
between each two ranks, whatever is submitted, ends, fails, is cancelled or is on its way at that moment.

Nothing is lost, every task is answered once, and none is run again unless it failed and may be tried again, or before what it needs.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import structs

from mpikernel.client import losing
from mpikernel.client import reactor as client_reactor
from mpikernel.client.repeats import Repeats
from mpikernel.client.state import TASKS, Call, ClientState, Part
from mpikernel.client.traffic import Traffic
from mpikernel.engine import reactor as engine_reactor
from mpikernel.engine.batches import send_results
from mpikernel.engine.runner import report
from mpikernel.engine.state import BatchJob, EngineState, Job
from mpikernel.interfaces.task import reactor as task_reactor
from mpikernel.interfaces.task.entries import runs
from mpikernel.interfaces.task.handing import see_to_engines
from mpikernel.interfaces.task.refusals import MOST_REFUSALS
from mpikernel.interfaces.task.seats import Seat
from mpikernel.interfaces.task.state import TaskState
from mpikernel.interfaces.task.waiting import in_turn
from mpikernel.ledger.records import ABORTED, ERROR, OK, SUBMITTED, Record, expand
from mpikernel.testing.loopback import begin_single
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.arguments import keep_arguments, remember_arguments
from mpikernel.wire.envelope import Departure, Frame
from mpikernel.wire.messages import (
    Apply,
    Cancelled,
    CancelTasks,
    Done,
    DoneBatch,
    EngineDied,
    EngineLost,
    Failed,
    Message,
    Note,
    Submit,
    SubmitBatch,
    SubmitFunction,
)
from mpikernel.wire.mirror import Kept, Sent
from mpikernel.wire.notebook import Notebook
from mpikernel.wire.terms import Needs, Terms
from mpikernel.wire.transport import Arrival

CLIENT, TASK, ENGINES = 1, 2, (3, 4, 5)
NOW = 1000.0
MEMORY = 2  # functions that each remembers; fewer than there are
MANY = 2000  # rounds in which everything ends
FUNCTIONS = (b"f", b"g", b"h", b"i")
CACHE = 100  # bytes of arguments that each remembers; fewer than there are
ARGUMENTS = tuple(bytes([number]) * 40 for number in range(4))


REJECTED = "rejected"

#: How long tasks take (seconds).
LENGTHS = st.sampled_from([0.0, 1e-4, 0.02, 1.0])
TERMS = st.builds(
    Terms,
    targets=st.sets(st.integers(0, 2), max_size=2).map(lambda only: tuple(sorted(only))),
    retries=st.integers(0, 2),
    priority=st.integers(-1, 1),
    queue_timeout=st.sampled_from([0.0, 0.0, 0.5]),
    recovery=st.sampled_from([b"", b"", *FUNCTIONS]),
)


class Whoever:
    """A collector that looks at nothing."""

    departure = Departure(0)

    def expecting(self, calls: Sequence[Call]) -> None: ...
    def arrived(self, call: Call) -> None: ...
    def awaited(self) -> bool:
        return False

    def expecting_batch(self, numbers: range) -> None: ...
    def part_arrived(self, part: Part) -> None: ...


class TaskMachine(RuleBasedStateMachine):
    """A task interface, three engines and a client; the mail between each two ranks is a queue that a rule delivers from."""

    def __init__(self) -> None:
        super().__init__()
        self.out = RecordingOutbox()
        self.mail: dict[tuple[int, int], deque[Arrival]] = defaultdict(deque)  # by sender and receiver
        self.task = TaskState(Notebook(0), [], crash_limit=2, argument_cache=CACHE, mortal=True)
        self.task.seats = [Seat(rank, f"host{rank}", Sent(MEMORY), remember_arguments(CACHE)) for rank in ENGINES]
        self.task.functions[CLIENT] = Kept(MEMORY)
        self.engines = [EngineState(number, rank, f"host{rank}") for number, rank in enumerate(ENGINES)]
        for state in self.engines:
            state.functions[TASK, True] = Kept(MEMORY)
            state.arguments = keep_arguments(CACHE)
        repeats, traffic = Repeats(CLIENT, CACHE, len(ARGUMENTS[0])), Traffic(1 << 28, 1 << 16)
        self.client = ClientState(CLIENT, Notebook(0), TASK, ENGINES, tuple("abcdef"), lambda action: None, traffic, repeats)
        self.client.sent[TASKS] = Sent(MEMORY)
        self.now = NOW
        self.written: dict[int, Record] = {}  # what the controller was told, the latest of each task
        self.submitted: dict[int, Submit | SubmitBatch] = {}
        self.given: dict[int, tuple[bytes, ...]] = {}  # large arguments of a task, if it has some
        self.needed: dict[int, tuple[range, Needs, bool]] = {}  # of tasks that need others: which, how, and whether to follow them
        self.runs: dict[int, list[str]] = defaultdict(list)  # of each task, how each of its runs ended
        self.ran_on: dict[int, set[int]] = defaultdict(set)  # the engines, of any but those that refused it
        self.begun: set[int] = set()  # those that some engine has begun
        self.ended_well: set[int] = set()  # those of which a run has, although its result may have been lost
        self.refusals: Counter[tuple[int, int, bool]] = Counter()  # by task, engine, and whether it was the recovery
        self.answers: dict[int, Done] = {}
        self.asked: dict[int, int] = defaultdict(int)  # of each task, how often its cancelling was asked for
        self.interrupted: set[int] = set()  # tasks that were to be interrupted if they ran
        self.dead: set[int] = set()  # engines that died, by rank
        self.told: dict[int, list[bool]] = defaultdict(list)  # of each task, what was answered: whether it was dropped

    # what happens ------------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 3), function=st.sampled_from(FUNCTIONS), terms=TERMS, large=st.lists(st.sampled_from(ARGUMENTS), max_size=2))
    def submit(self, count: int, function: bytes, terms: Terms, large: list[bytes]) -> None:
        for _ in range(count):
            self.submit_one(function, terms, *large)

    def submit_one(self, function: bytes, terms: Terms, *large: bytes) -> int:
        settled = self.client.settled
        number = self.client.new_call("task", "f", -1, self.now, is_task=True).id
        self.bring_recovery(terms)
        carried = 0 if self.client.knows(TASKS, function, len(b"code of") + len(function)) else 2
        frames = [b"arguments", b"%d" % number, *large]
        left, named = self.client.repeats.leave_out(frames, self.client.repeats.recognise(frames))
        message = Submit(number, function, carried, "f", self.now, False, terms, settled, named)
        self.submitted[number], self.given[number] = message, large
        self.post(CLIENT, TASK, message, [*[b"code of", function][:carried], *left])
        return number

    @rule(count=st.integers(1, 9), function=st.sampled_from(FUNCTIONS), terms=TERMS)
    def submit_batch(self, count: int, function: bytes, terms: Terms) -> None:
        self.submit_many(count, function, terms)

    def submit_many(self, count: int, function: bytes, terms: Terms) -> range:
        settled = self.client.settled
        numbers = self.client.new_batch(count, "f", self.now, Whoever())
        self.bring_recovery(terms)
        carried = 0 if self.client.knows(TASKS, function, len(b"code of") + len(function)) else 2
        pieces = [b"arguments %d" % number for number in numbers]
        ends = array("I", accumulate(map(len, pieces))).tobytes()
        message = SubmitBatch(numbers.start, count, function, carried, "f", self.now, ends, terms, settled)
        self.submitted.update(dict.fromkeys(numbers, message))
        self.post(CLIENT, TASK, message, [*[b"code of", function][:carried], b"".join(pieces)])
        return numbers

    def bring_recovery(self, terms: Terms) -> None:
        function = terms.recovery
        if function and not self.client.knows(TASKS, function, len(b"code of") + len(function)):
            self.post(CLIENT, TASK, SubmitFunction(function), [b"code of", function])

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), terms=TERMS, every=st.booleans(), way=st.sampled_from([(True, False), (False, True), (True, True)]))
    def submit_what_needs_others(self, data: st.DataObject, terms: Terms, every: bool, way: tuple[bool, bool]) -> None:
        first = data.draw(st.sampled_from(sorted(self.submitted)))
        others = range(first, data.draw(st.integers(first, min(first + 10, len(self.submitted) - 1))) + 1)
        needs = self.needs_of(others, every, *way)
        follows = data.draw(st.booleans())
        terms = structs.replace(terms, after=None if follows else needs, follow=needs if follows else None)
        numbers = self.submit_many(3, b"f", terms) if data.draw(st.booleans()) else (self.submit_one(b"f", terms),)
        self.needed.update(dict.fromkeys(numbers, (others, needs, follows)))

    def needs_of(self, others: range, every: bool, success: bool, failure: bool) -> Needs:
        """What the client tells of them as far as it knows."""
        known = [self.answers[number] for number in others if number in self.answers]
        right = [done for done in known if (success if done.status == OK else failure)]
        wrong = [done for done in known if done not in right]
        left = tuple((run.start, len(run)) for run in runs(number for number in others if number not in self.answers))
        engines = tuple(sorted({done.engine for done in right if done.engine >= 0}))
        return Needs(left, every, success, failure, bool(right), f"task {wrong[0].call} did not" if wrong else "", engines)

    @precondition(lambda self: self.submitted)
    @rule(data=st.data(), interrupt=st.booleans())
    def cancel(self, data: st.DataObject, interrupt: bool) -> None:
        numbers = data.draw(st.sets(st.sampled_from(sorted(self.submitted)), min_size=1, max_size=4))
        for number in numbers:
            self.asked[number] += 1
        if interrupt:
            self.interrupted |= numbers
        self.post(CLIENT, TASK, CancelTasks(tuple(sorted(numbers)), interrupt))

    @precondition(lambda self: len(self.dead) < len(ENGINES))
    @rule(data=st.data())
    def lose_an_engine(self, data: st.DataObject) -> None:
        """Some of what it has sent comes, and some is lost, until it is heard that it died."""
        rank = data.draw(st.sampled_from([rank for rank in ENGINES if rank not in self.dead]))
        self.dead.add(rank)
        self.engines[ENGINES.index(rank)] = EngineState(ENGINES.index(rank), rank, f"host{rank}")
        for receiver in (CLIENT, TASK):
            row = self.mail[rank, receiver]
            self.lose_mail(rank, receiver, data.draw(st.integers(0, len(row))))
        self.post(0, CLIENT, EngineDied(rank, "it was killed"))

    @precondition(lambda self: any(self.mail.values()))
    @rule(data=st.data(), alone=st.booleans())
    def deliver(self, data: st.DataObject, alone: bool) -> None:
        self.deliver_from(data.draw(st.sampled_from(sorted(pair for pair, row in self.mail.items() if row))), alone)

    @precondition(lambda self: any(self.mail.values()))
    @rule()
    def deliver_all(self) -> None:
        for _ in range(MANY):
            pairs = [pair for pair, row in self.mail.items() if row]
            if not pairs:
                return
            for pair in pairs:
                if self.mail[pair]:  # what came before may have been that its sender died
                    self.deliver_from(pair, alone=True)
        raise AssertionError("they never stop sending messages to each other")

    @precondition(lambda self: any(state.queue and not state.running for state in self.engines))
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        state = data.draw(st.sampled_from([state for state in self.engines if state.queue and not state.running]))
        self.begin_on(state)

    @precondition(lambda self: any(state.running for state in self.engines))
    @rule(data=st.data(), status=st.sampled_from([OK, ERROR, REJECTED, ABORTED]), length=LENGTHS)
    def finish(self, data: st.DataObject, status: str, length: float) -> None:
        self.finish_on(data.draw(st.sampled_from([state for state in self.engines if state.running])), status, length)

    @precondition(lambda self: any(self.batch_of(state) for state in self.engines))
    @rule(data=st.data(), count=st.integers(1, 9), length=LENGTHS)
    def run_some_of_a_batch(self, data: st.DataObject, count: int, length: float) -> None:
        state = data.draw(st.sampled_from([state for state in self.engines if self.batch_of(state)]))
        job = self.batch_of(state)
        assert job is not None
        for _ in range(min(count, len(job.pending))):
            number = job.pending.popleft()
            self.check_job(state, job.single(number))
            self.begun.add(number)
            self.runs[number].append(OK)
            self.ended_well.add(number)
            self.ran_on[number].add(state.id)
            state.results.append((job, number, b"value", NOW, NOW + length))
        if not job.pending:
            state.queue.popleft()
        send_results(state, self.out)
        self.flush(state.rank)

    @rule(later=st.floats(0.0, 0.1))
    def pass_time(self, later: float) -> None:
        self.now += later
        task_reactor.tick(self.task, self.out, self.now)
        self.flush(TASK)

    @rule(elsewhere=st.integers(-1, len(ENGINES) - 1))
    def let_them_settle(self, elsewhere: int) -> None:
        """Whoever has nothing to do gets what others have not begun; one of them may begin nothing, being in another call."""
        for _ in range(40):
            self.deliver_all()
            for state in self.engines:
                if state.running is None and state.queue and state.id != elsewhere and state.rank not in self.dead:
                    self.begin_on(state)
            self.pass_time(1.0)
        idle = {engine for engine, seat in enumerate(self.task.seats) if not (seat.given or seat.lost or engine == elsewhere)}
        for seat, state in zip(self.task.seats, self.engines, strict=True):
            for number in seat.given.keys() & self.unbegun(state):
                assert idle.isdisjoint(seat.given[number].targets or idle), f"task {number} waits behind others although {idle} are idle"

    def unbegun(self, state: EngineState) -> set[int]:
        """The tasks that an engine has and has not begun."""
        return {number for job in state.queue for number in (job.pending if isinstance(job, BatchJob) else [job.command.call])}

    def batch_of(self, state: EngineState) -> BatchJob | None:
        """The batch that an engine which runs nothing would begin."""
        first = state.queue[0] if state.queue and not state.running else None
        return first if isinstance(first, BatchJob) else None

    # how it happens ----------------------------------------------------------------------------------------------------

    def post(self, sender: int, receiver: int, message: Message, frames: Sequence[Frame] = ()) -> None:
        self.mail[sender, receiver].append(Arrival(sender, message, list(frames)))

    def deliver_from(self, pair: tuple[int, int], alone: bool) -> None:
        """Deliver one message; if it is not alone, the receiver's turn goes on after it."""
        receiver = pair[1]
        arrival = self.mail[pair].popleft()
        if receiver in self.dead:
            return
        if isinstance(arrival.message, EngineDied | EngineLost):
            self.lose_mail(arrival.message.rank, receiver, 0)
        if receiver == CLIENT and not isinstance(arrival.message, EngineDied):
            self.note_what_the_client_is_told(arrival.message)
        state, reactions = self.role(receiver)
        reactions[type(arrival.message)](state, self.out, arrival, self.now)
        if receiver == TASK and alone:
            see_to_engines(self.task, self.out, self.now)
        self.flush(receiver)

    def lose_mail(self, sender: int, receiver: int, kept: int) -> None:
        """All but the first `kept` of what is on its way is lost, and with it what was done."""
        row = self.mail[sender, receiver]
        while len(row) > kept:
            message = row.pop().message
            if isinstance(message, Failed) and message.rejected:
                self.refusals[message.done.call, ENGINES.index(sender)] -= 1
            elif isinstance(message, Failed):
                self.runs[message.done.call].pop()
            elif isinstance(message, Done):
                self.forget_run(message.call)
            elif isinstance(message, DoneBatch):
                for number in range(message.first, message.first + len(message.ends) // 4):
                    self.forget_run(number)

    def forget_run(self, number: int) -> None:
        assert self.runs[number].pop() == OK

    def role(self, rank: int) -> tuple[Any, Any]:
        if rank == TASK:
            return self.task, task_reactor.REACTIONS
        if rank == CLIENT:
            return self.client, {**client_reactor.REACTIONS, **losing.REACTIONS}
        return self.engines[ENGINES.index(rank)], engine_reactor.REACTIONS

    def flush(self, sender: int) -> None:
        for receiver in list(self.out.mail):
            for parcel in self.out.take(receiver):
                if isinstance(parcel.message, Note):
                    self.write_down(parcel.message)
                    continue
                self.post(sender, receiver, parcel.message, parcel.frames)

    def note_what_the_client_is_told(self, message: Message) -> None:
        if isinstance(message, Done):
            assert message.call not in self.answers, "a task was answered twice"
            self.answers[message.call] = message
        elif isinstance(message, DoneBatch):
            for number in range(message.first, message.first + len(message.ends) // 4):
                assert number not in self.answers, "a task was answered twice"
                self.answers[number] = Done(number, message.engine, OK, NOW, NOW, "", "", "")
        else:
            assert isinstance(message, Cancelled)
            for number in message.dropped:
                assert self.answers[number].status == ABORTED, "its end is told before"
            for number in message.kept:
                assert number in self.begun or number in self.answers, "it is told that it cannot be cancelled any more"
            for number in (*message.dropped, *message.kept):
                self.told[number].append(number in message.dropped)

    def write_down(self, note: Note) -> None:
        rows = [record for row in note.ranges for record in expand(row)]
        self.written.update((record.task, record) for record in (*rows, *note.records))

    def begin_on(self, state: EngineState) -> None:
        begin_single(state)
        if state.running is not None:
            self.begun.add(state.running.command.call)

    def finish_on(self, state: EngineState, status: str, length: float = 0.0) -> None:
        job, state.running = state.running, None
        assert job is not None
        number = job.command.call
        self.check_job(state, job)
        if status == ABORTED and number not in self.interrupted:
            status = OK
        if status == REJECTED:
            self.refusals[number, state.id, self.recovers(number)] += 1
        else:
            self.runs[number].append(status)
            self.ended_well.update({number} if status == OK else ())
            self.ran_on[number].add(state.id)
        error = {OK: "", ERROR: "ValueError: no", REJECTED: "TaskReject: no", ABORTED: "KeyboardInterrupt"}[status]
        done = Done(number, state.id, ERROR if status == REJECTED else status, NOW, NOW + length, "", "", error)
        report(self.out, job, done, [b"error" if error else b"value"], status == REJECTED)
        self.flush(state.rank)

    def check_job(self, state: EngineState, job: Job) -> None:
        """It is what was submitted, where it may be, and for good reason."""
        number = job.command.call
        submit = self.submitted[number]
        assert isinstance(job.command, Apply)
        assert job.function is not None
        assert list(job.function.frames) == [b"code of", submit.terms.recovery if self.recovers(number) else submit.function]
        assert b" ".join(job.frames) == b" ".join([b"arguments %d" % number, *self.given.get(number, ())])
        assert state.id in submit.terms.targets or not submit.terms.targets
        assert job.command.attempt == len(self.runs[number]) + 1 <= self.most_runs(number)
        assert set(self.runs[number]) <= {ERROR}, "it ended well before, or was interrupted"
        assert self.refusals[number, state.id, self.recovers(number)] < MOST_REFUSALS
        assert job.client == CLIENT
        if number in self.needed:
            self.check_needs(number, state.id)

    def recovers(self, number: int) -> bool:
        """Whether the next run of a task is that of its recovery."""
        return len(self.runs[number]) > self.submitted[number].terms.retries

    def most_runs(self, number: int) -> int:
        terms = self.submitted[number].terms
        return terms.retries + 1 + bool(terms.recovery)

    def check_needs(self, number: int, engine: int) -> None:
        """What it needs has ended as it should, and where it is."""
        others, needs, follows = self.needed[number]
        if needs.success and not needs.failure:
            good = self.ended_well.intersection(others)
            assert len(good) == len(others) if needs.every else good
        if follows:
            places = {place for other in others for place in self.ran_on[other]}
            assert engine in places
            assert len(places) == 1 or not needs.every or self.dead

    # what is always true -----------------------------------------------------------------------------------------------

    @invariant()
    def states_are_sound(self) -> None:
        self.task.check()
        self.client.check()
        for state, seat in zip(self.engines, self.task.seats, strict=True):
            state.check()
            there = sum(len(job.pending) if isinstance(job, BatchJob) else 1 for job in state.queue) + (state.running is not None)
            assert 0 <= there <= seat.count

    @invariant()
    def engines_are_not_left_idle(self) -> None:
        firsts = sorted((queue.first for queue in self.task.waiting.queues.values() if not self.task.changed), key=in_turn)
        picky: list[set[int]] = []  # for each that needs an engine which has nothing, and comes before others: where it may go
        for entry in firsts:
            engines = set(entry.targets or range(len(ENGINES)))
            room = {engine for engine in engines if self.task.room(engine, entry.submit.function)}
            idle = {engine for engine in room if not self.task.seats[engine].given}
            assert not idle, f"tasks {entry.numbers} wait although engines {idle} have nothing"
            if entry.submit.terms.queue_timeout or entry.alone:
                picky.append(engines)
            else:
                spared = sum(not room.isdisjoint(places) for places in picky)
                assert len(room) <= spared, f"tasks {entry.numbers} wait although engines {room} have room"

    def teardown(self) -> None:
        """Everything comes to its end, and then everything adds up."""
        for _ in range(MANY):
            if not (self.client.open or self.client.batches or any(self.mail.values())):
                break
            self.deliver_all()
            for state in self.engines:
                if state.running is None and state.queue:
                    self.begin_on(state)
                if state.running is not None:
                    self.finish_on(state, OK)
            self.pass_time(0.05)
            self.states_are_sound()
        assert not self.client.open
        assert not self.client.batches
        assert not any(self.task.idle_entries)
        assert not any(seat.given for seat in self.task.seats)
        assert not self.task.batches
        assert not self.task.unwanted
        assert self.answers.keys() == self.submitted.keys()
        task_reactor.tell_all(self.task, self.out, self.now)
        self.flush(TASK)
        for number in self.submitted:
            self.check_end(number, self.written[number])

    def check_end(self, number: int, record: Record) -> None:
        answer, runs, submit = self.answers[number], self.runs[number], self.submitted[number]
        if answer.status == OK:
            assert runs == [ERROR] * (len(runs) - 1) + [OK]
        elif answer.status == ABORTED:
            assert runs[-1:] == ([ABORTED] if answer.engine >= 0 else []), "what ran was not cancelled before it began"
        else:
            self.check_error(number, answer.error.partition(":")[0])
        told = self.told[number]
        assert len(told) == self.asked[number], "each request is answered once"
        assert not any(told) or (answer.status, answer.engine, told.count(True)) == (ABORTED, -1, 1)
        assert any(told) or answer.status != ABORTED or number in self.interrupted
        if "had not been taken" in answer.error:  # what is known of it is that it ended well
            return
        assert record.status == answer.status != SUBMITTED
        assert record.attempt == (len(runs) or 1) or self.refusals.total() or self.dead
        assert record.attempt <= self.most_runs(number)
        assert answer.earlier == (record.status == ERROR and record.attempt > submit.terms.retries + 1)
        assert record.engine == answer.engine

    def check_error(self, number: int, error: str) -> None:
        """A task ended with this error for good reason."""
        runs, terms = self.runs[number], self.submitted[number].terms
        assert runs == [ERROR] * len(runs)
        if error == "ValueError":
            assert len(runs) == self.most_runs(number) or (self.asked[number] and 0 < len(runs) < self.most_runs(number))
        elif error == "UnmetDependency":
            times = [self.refusals[number, engine, self.recovers(number)] for engine in range(len(ENGINES))]
            assert any(times)
            assert MOST_REFUSALS in times or self.dead
        elif error == "QueueTimeoutError":
            assert terms.queue_timeout
            assert not runs
        elif error == "NoEnginesError":
            assert {ENGINES[engine] for engine in terms.targets or range(len(ENGINES))} <= self.dead
        elif error == "EngineDiedError":
            assert self.dead
            assert self.asked[number] or "had not been taken" in self.answers[number].error
        elif error == "CrashLimitError":
            assert len(self.dead) >= self.task.crash_limit
        else:
            assert error == "ImpossibleDependency"
            assert number in self.needed
            assert not runs or self.dead


TestTaskMachine = TaskMachine.TestCase
TestTaskMachine.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
