"""A world: carries out the schedule of a seed, one step after the other, and writes down what happens."""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from tests.chaos import events, functiongraph, reviews
from tests.chaos.bucket import Bucket
from tests.chaos.deliveries import Queue
from tests.chaos.door import CLOUD, Aws, Door
from tests.chaos.environment import Environment, new_clock
from tests.chaos.functions import KEYS, Functions, Place
from tests.chaos.history import EPOCH, Act, History, Invocation, Message, Moment
from tests.chaos.inside import Order
from tests.chaos.land import FakeLand, Land
from tests.chaos.observer.judging import Violation, judge, judge_world
from tests.chaos.people import People
from tests.chaos.table import Table

Step = Mapping[str, Any]
TRIES = 3
"""How often an engine invokes a function with an event that nobody waits for."""
UUID_LIKE = r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}"
PLACES = ("response", "connect", "request", "journal", "name")


class World:
    """Carries out steps. At concurrency 1, the same steps give the same story to the letter.

    `told` is the story, a line for everything that happened; `violations` is what was wrong about it.
    """

    def __init__(self, cast: Mapping[str, Any], seed: int, land: Land | None = None) -> None:
        self.cast = cast
        self.clock = new_clock()
        self.land = land or FakeLand(cast["flavour"], cast["page_size"])
        self.history = History(self.land.project, flavour=cast["flavour"], dialect=cast["api"])
        self.people = People(self.land, self.history, self.clock, cast["skew"], cast.get("volumes", True))
        self.queue = Queue(self.history, "requests", fifo=cast["fifo"], most=cast["receives"])
        self.workers = Queue(self.history, "workers", most=cast["receives"])
        self.policies: list[Any] = [dict(policy) for policy in cast["policies"]]
        self.told: list[str] = []
        self.violations: list[Violation] = []
        self.operations = 0
        self._ids = random.Random(seed)
        self._depth = 0
        self.table = Table()
        self.bucket = Bucket(self.history, lambda: self.history.moment(self.clock.value))
        credentials = self.land.variables(CLOUD)
        self.history.secrets |= {events.SIGNED} | {value for name, value in KEYS.items() if name != "AWS_REGION"}
        aws = Aws(
            secret=dict(credentials),
            send=lambda body: self.workers.send(body, self.clock.value),
            table=self.table.answer,
            failures=self.history.handed_over,
            bucket=self.bucket,
            hide=self._hide,
        )
        self.on_functiongraph = cast.get("engine") == functiongraph.ENGINE
        project = self.land.project if self.on_functiongraph else ""
        self.functions = Functions(dict(cast["settings"]), credentials, aws, self.clock, self._door, project)
        self.tick()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.functions.close()

    def _door(self, environment: Environment, aws: Aws) -> Door:
        return Door(
            environment=environment,
            land=self.land,
            aws=aws,
            history=self.history,
            clock=self.clock,
            tick=self.tick,
            do=self.do,
            changed=self.people.notice,
            tell=self.tell,
        )

    def tick(self) -> Moment:
        """Let the cloud's clock follow the world's; the moment it is."""
        self.land.set_time(EPOCH + timedelta(seconds=self.clock.value + self.cast["cloud_skew"]))
        return self.history.moment(self.clock.value)

    @property
    def now(self) -> datetime:
        """The time by the clock of the function."""
        return EPOCH + timedelta(seconds=self.clock.value + self.cast["skew"])

    def new_id(self) -> str:
        """An id, the same one in every run."""
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    def carry_out(self, steps: Sequence[Step]) -> None:
        """Do one step after the other."""
        for step in steps:
            self.tell(json.dumps(step))
            self.tick()
            _STEPS[step["do"]](self, step)
            self.clock.value += step.get("seconds", 1.0)

    def tell(self, line: str) -> None:
        """Write a line of the story."""
        self.told.append("  " * self._depth + line)

    def end(self) -> None:
        """Judge the whole of it."""
        self.violations += judge_world(self.history)

    # What happens

    def make(self, step: Step) -> None:
        """Make images."""
        for _ in range(step.get("count", 1)):
            with self.land.turn:
                self.people.make(self.new_id(), step)

    def operate(self, step: Step) -> None:
        """Do as an operator."""
        self.history.acts.append(Act(self.tick(), "operator", step["what"]))
        _OPERATIONS[step["what"]](self, step)

    def _change_settings(self, step: Step) -> None:
        # Nobody asks for volumes where there are none.
        unknown = () if self.people.volumes else ("REAPER_IN_USE_ALSO",)
        settings = functiongraph.fitting(step["settings"]) if self.on_functiongraph else step["settings"]
        self.functions.settings |= {name: value for name, value in settings.items() if name not in unknown}

    def _change_policy(self, step: Step) -> None:
        self.policies[step["which"] % len(self.policies)] = dict(step["policy"])

    def _rotate(self, step: Step) -> None:
        self.land.rotate(step["password"])
        if step["publish"]:
            self._publish()

    def _publish(self) -> None:
        self.functions.publish(self.land.variables(CLOUD)["OS_PASSWORD"])

    def send(self, step: Step) -> None:
        """Put a message into the queue."""
        body = events.body(step, self)
        self.queue.send(body, self.clock.value, f"g{step.get('group', 0)}")

    def poll(self, step: Step) -> None:
        """Deliver what the queue holds."""
        queue = self.workers if step.get("workers") else self.queue
        messages = queue.receive(self.clock.value, step.get("most", 10))
        if not messages:
            return
        if self.on_functiongraph:
            self._deliver_batch(queue, messages, step)
            return
        if step.get("duplicate"):
            queue.again(messages)
        done = self.invoke("worker", queue.event(messages), step, messages)
        returned: set[str] | None = None
        if isinstance(done.answer, dict) and "batchItemFailures" in done.answer:
            returned = {failure["itemIdentifier"] for failure in done.answer["batchItemFailures"]}
        queue.settle(done.number, messages, returned, self.clock.value)

    def _deliver_batch(self, queue: Queue, messages: Sequence[Message], step: Step) -> None:
        """Deliver messages as a broker does: once, except that the engine repeats the event if the function raises."""
        event = functiongraph.batch([message.body for message in messages], len(self.history.invocations))
        done = self._insist("worker", event, step)
        queue.settle(done.number, messages, (), self.clock.value)

    def _hide(self, queue: str, handle: str, seconds: int) -> str:
        """Put a message of a queue off; returns what is wrong, if anything is."""
        found = next(one for one in (self.queue, self.workers) if queue.removesuffix(".fifo") == one.name)
        return found.hide(handle, seconds, self.clock.value)

    def call(self, step: Step) -> None:
        """Send an event of another source; if nobody waits for its answer, it is sent again when it fails."""
        event, function = events.event(step, self)
        if step["source"] in events.REPEATED:
            self._insist(function, event, step)
        else:
            self.invoke(function, event, step)

    def _insist(self, function: str, event: Any, step: Step) -> Invocation:  # noqa: ANN401
        """Invoke a function until it does not raise, as an engine does; returns the last invocation."""
        done = first = self.invoke(function, event, step)
        for _ in range(TRIES - 1):
            if done.answer is not None:
                break
            self.clock.value += 60
            done = self.invoke(function, event, {"do": "again", "first": first.number})
        return done

    def invoke(self, function: str, event: Any, step: Step, messages: Sequence[Message] = ()) -> Invocation:  # noqa: ANN401
        """Invoke a function in an environment that is free, or in a new one."""
        place = self.functions.take(function)
        variables = self.functions.variables(place)
        if self.on_functiongraph:
            variables["RUNTIME_TIMEOUT"] = str(int(step.get("granted", 60.0)))
        event = json.loads(json.dumps(event).replace(CLOUD, place.server.url))
        granted = step.get("granted", 60.0) + reviews.longer(variables)
        number = len(self.history.invocations)
        first = step.get("first", number)
        invocation = Invocation(
            number=number,
            environment=place.environment.number,
            begun=self.tick(),
            event=event,
            settings=variables,
            messages=tuple(message.id for message in messages),
            seconds=granted,
            skew=self.cast["skew"],
            first=first,
        )
        keys = self.land.agency() if self.on_functiongraph else ()
        invocation.access_key = keys[0] if keys else ""
        self.history.invocations.append(invocation)
        faults = step.get("faults", ())
        stops = {(fault["at"], fault["nth"]): fault for fault in faults if fault["at"] in PLACES}
        place.door.begin(invocation, [fault for fault in faults if fault["at"] not in PLACES])
        passed: dict[str, list[Mapping[str, Any]]] = {}
        for (at, _), fault in sorted(stops.items(), key=lambda item: item[0][1]):
            passed.setdefault(at, []).append(fault)
        said = place.environment.carry_out(
            Order(
                invocation.number,
                event,
                variables,
                invocation.seconds,
                tuple(stops),
                self.cast["skew"],
                first,
                keys,
            ),
            lambda at: self._stop(place, passed[at].pop(0)),
        )
        place.door.end()
        if place.door.broken:
            raise place.door.broken[0]
        invocation.ended = self.tick()
        invocation.printed = place.environment.take()
        invocation.died = said is None
        if said is not None and said.kind == "answer":
            invocation.answer = said.what
        elif said is not None:
            invocation.error = said.what
        self._after(place, invocation)
        return invocation

    def _after(self, place: Place, invocation: Invocation) -> None:
        """Judge it, and let its environment sleep."""
        self.history.secrets |= self.land.secrets()
        self.operations += events.outcomes(invocation)
        self.tell(f"= {invocation.number} {events.ending(invocation)}")
        self.violations += judge(self.history, invocation)
        self.functions.rest(place)

    def _stop(self, place: Place, fault: Mapping[str, Any]) -> None:
        """The environment stands still at some place: what happens meanwhile."""
        if fault["what"] == "kill":
            place.environment.kill()
            return
        unread = len(self.history.requests) - 1
        place.door.freeze(fault)
        if fault["at"] == "response":
            self._read_late(unread)

    def _read_late(self, number: int) -> None:
        """An answer that came in just before an environment was frozen: only now the function has it."""
        self.history.read_late[number] = self.history.moment(self.clock.value)

    def do(self, steps: Sequence[Step]) -> None:
        """Do something while an invocation is under way; what is `aimed` is done with an image that it may come to."""
        self._depth += 1
        try:
            for step in steps:
                self.tell(json.dumps(step))
                self.tick()
                is_open = step.get("aimed") and "among" not in step
                _STEPS[step["do"]](self, {**step, "among": self._under_way()} if is_open else step)
        finally:
            self._depth -= 1

    def _under_way(self) -> set[str]:
        """The images that the events name whose invocations have not ended."""
        events = [one.event for one in self.history.invocations[-4:] if one.ended is None]
        return {found.lower() for event in events for found in re.findall(UUID_LIKE, json.dumps(event))}

    def wait(self, step: Step) -> None:
        """Let time pass."""
        self.clock.value += step["hours"] * 3600.0

    def own(self, step: Step) -> None:
        """An owner acts."""
        with self.land.turn:
            self.people.own(step)

    def serve(self, step: Step) -> None:
        """A server starts or stops."""
        with self.land.turn:
            self.people.serve(self.new_id(), step)


_OPERATIONS: Mapping[str, Callable[[World, Step], object]] = {
    "set": World._change_settings,
    "policy": World._change_policy,
    "rotate": World._rotate,
    "publish": lambda world, _: world._publish(),
    "revoke": lambda world, _: world.land.revoke(),
    "retire": lambda world, _: world.functions.retire(),
    "stop": lambda world, _: world.table.stop(),
    "go": lambda world, _: world.table.go(),
    "alter": lambda world, step: world.bucket.alter(step),
}
_STEPS: Mapping[str, Callable[[World, Step], None]] = {
    "make": World.make,
    "own": World.own,
    "serve": World.serve,
    "operate": World.operate,
    "wait": World.wait,
    "send": World.send,
    "poll": World.poll,
    "call": World.call,
}
