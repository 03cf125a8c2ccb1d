"""One run of a fleet: carries out its steps, each on one replica, until nothing moves there."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from routeproof_litellm.fleet_wire import (
    Ask,
    Begin,
    Config,
    Crash,
    Deliver,
    Finish,
    Notified,
    Patch,
    Point,
    Poll,
    Put,
    Request,
    Start,
    StoreFails,
    StoreOrder,
    StoreShows,
    WriteOp,
)
from routeproof_litellm.news import of_write
from routeproof_litellm.replica import Go, Hear, Pass
from routeproof_litellm.rows import reply
from routeproof_litellm.store import Reading
from routeproof_litellm.wire import Add, Delete, Wait

if TYPE_CHECKING:
    from routeproof_litellm.fields import Json
    from routeproof_litellm.fleet_wire import FleetQuestion, FleetRun, FleetStep, Op, World, Write
    from routeproof_litellm.replica import Gone, Moves
    from routeproof_litellm.surroundings import Driven, Surroundings
    from routeproof_litellm.wire import Round

HELD_MAX = 8
"""The most operations that are held or waiting at one replica, or straight at the store, when another one is begun."""
STEP_SECONDS_MAX = 60.0
"""The longest that a replica may take for one step, or for one round of questions."""
SET_UP = "#0"
"""The name of what the set-up begins, which no step has."""


class Schedule:
    """A fleet in the middle of a run."""

    def __init__(self, run: FleetRun, site: Surroundings) -> None:
        """Set up the store; the replicas come up when the run is carried out."""
        self._run = run
        self._site = site
        self._reading = Reading(order=run.order)
        self._nodes: list[Driven | None] = [None] * run.replicas
        self._under_way: dict[str, int | None] = {}
        """The operations under way, in the order in which they began, each with its replica."""
        self._straight: dict[str, _Straight] = {}
        self._notified: list[deque[str]] = [deque() for _ in range(run.replicas)]
        """The notifications under way to each replica, the oldest first."""
        self._answered: list[tuple[list[FleetQuestion], list[Json]] | None] = [None] * run.replicas
        """The last questions to each replica and its answers, where it has been given no order since."""

    def carry_out(self) -> Json:
        """Carry out the run, and return the reply to it."""
        run = self._run
        self._site.set_up(run.rows, run.config)
        for replica in range(run.replicas):
            self._begin(SET_UP, Start(replica), None)
            self._under_way.pop(SET_UP, None)
        steps: list[Json] = []
        rounds: list[list[Json]] = []
        due = {at.after: at for at in run.rounds}
        for done, step in enumerate([*run.steps, None]):
            if done in due:
                rounds.append(self._observe(due[done]))
            if step is not None:
                steps.append(self._step(done + 1, step))
        return {"setup": {"outcome": "applied"}, "steps": steps, "rounds": rounds}

    def _step(self, number: int, step: FleetStep) -> Json:
        own = f"#{number}"
        if isinstance(step, Ask):
            if (shown := self._shown(step.replica, step.question)) is not None:
                return {"shown": shown}
            moves: Moves = []
        elif isinstance(step, Begin):
            if (why := self._why_not(step)) is not None:
                # One of the same name may be under way, and stays so.
                return {"moved": [{"op": step.op, "now": {"failed": why}}]}
            moves = self._begin(step.op, step.act, step.until)
            own = step.op
        elif isinstance(step, Finish):
            moves = self._finish(step.op)
            own = step.op
        elif isinstance(step, WriteOp | Poll | Start | Deliver | Request):
            moves = self._begin(own, step, None)
        else:
            moves = self._befall(own, step)
        return {"moved": self._told(own, moves)}

    def _told(self, own: str, moves: Moves) -> list[Json]:
        """Return the moves, that of the step first, and forget the operations that are over."""
        for name, now in moves:
            if not (isinstance(now, dict) and ("held" in now or "waiting" in now)):
                self._under_way.pop(name, None)
                self._straight.pop(name, None)
        moves.sort(key=lambda move: move[0] != own)
        return [{"op": name, "now": now} for name, now in moves]

    def _why_not(self, begin: Begin) -> str | None:
        """Return why the operation cannot be begun; `None` where it can."""
        if begin.op in self._under_way:
            return f"an operation `{begin.op}` is under way; finish it, or choose another name"
        replica = _replica_of(begin.act)
        if sum(1 for other in self._under_way.values() if other == replica) >= HELD_MAX:
            return f"at most {HELD_MAX} operations are held at a replica; finish one first"
        return None

    def _begin(self, name: str, act: Op, until: Point | None) -> Moves:
        """Begin an operation, carry it out as far as it goes, and return what moved."""
        replica = _replica_of(act)
        if replica is None:
            assert isinstance(act, WriteOp)  # noqa: S101  nothing else has no replica
            self._straight[name] = _Straight(act.write, until)
            self._under_way[name] = None
            return self._go_on_straight(name)
        if replica >= len(self._nodes):
            return [(name, {"failed": f"there is no replica {replica}"})]
        if isinstance(act, Deliver):
            heard = self._oldest(replica)
            return [(name, "done")] if heard is None else self._hear(name, replica, heard, until)
        if isinstance(act, Start):
            if self._nodes[replica] is not None:
                return [(name, "done")]
            self._nodes[replica] = self._site.fork()
        if self._nodes[replica] is None:
            return [(name, {"failed": f"replica {replica} is down; start it first"})]
        self._under_way[name] = replica
        return self._go(replica, Go(name, act, until, self._reading))

    def _hear(self, name: str, replica: int, message: str, until: Point | None) -> Moves:
        self._under_way[name] = replica
        return self._go(replica, Go(name, Hear(message), until, self._reading))

    def _go(self, replica: int, order: Go) -> Moves:
        """Let a replica go on, and return what moved."""
        gone: Gone = self._order(replica, order)
        for message in gone.published:
            self._notify(message, but=replica)
        return gone.moves

    def _notify(self, message: str, but: int | None) -> None:
        """Send a notification to every replica that is up, but not to the one through which the write went."""
        for replica, node in enumerate(self._nodes):
            if node is not None and replica != but:
                self._notified[replica].append(message)

    def _oldest(self, replica: int, *, keep: bool = False) -> str | None:
        """Return the oldest notification under way to that replica, which is under way no more unless it is kept."""
        notified = self._notified[replica] if replica < len(self._notified) else None
        if not notified:
            return None
        return notified[0] if keep else notified.popleft()

    def _go_on_straight(self, name: str) -> Moves:
        straight = self._straight[name]
        made = straight.made
        now = straight.go_on(self._site)
        if straight.made and not made:
            self._notify(of_write(straight.write), but=None)
        return [(name, now)]

    def _finish(self, name: str) -> Moves:
        if name not in self._under_way:
            return []
        if (straight := self._straight.get(name)) is not None:
            straight.until = None
            return self._go_on_straight(name)
        replica = self._under_way[name]
        assert replica is not None  # noqa: S101  what has none is straight
        return self._go(replica, Go(name, None, None, self._reading))

    def _befall(self, own: str, world: World) -> Moves:
        """Carry out what happens to the fleet at once, and return what moved."""
        if isinstance(world, StoreFails):
            self._reading = self._reading._replace(fails=world.fails)
        elif isinstance(world, StoreShows):
            self._reading = self._reading._replace(view=world.view, fails=False)
        elif isinstance(world, StoreOrder):
            self._reading = self._reading._replace(order=world.order)
        elif isinstance(world, Config):
            self._site.configure(world.rows)
        elif isinstance(world, Crash):
            return self._crash(world.replica)
        elif isinstance(world, Notified):
            return self._mishear(own, world)
        elif isinstance(world, Wait):
            for replica, node in enumerate(self._nodes):
                if node is not None:
                    self._order(replica, Pass(world.milliseconds / 1000))
        return []

    def _mishear(self, own: str, world: Notified) -> Moves:
        """Deliver the oldest notification twice, or never, or after the others."""
        heard = self._oldest(world.replica, keep=world.what == "duplicate")
        if heard is not None and world.what == "duplicate":
            return self._hear(own, world.replica, heard, None)
        if heard is not None and world.what == "defer":
            self._notified[world.replica].append(heard)
        return []

    def _crash(self, replica: int) -> Moves:
        node = self._nodes[replica] if replica < len(self._nodes) else None
        if node is None:
            return []
        node.end()
        self._nodes[replica] = None
        self._notified[replica].clear()
        return [(name, "lost") for name, at in self._under_way.items() if at == replica]

    def _order(self, replica: int, order: object) -> Any:
        node = self._nodes[replica]
        assert node is not None  # noqa: S101  only a replica that is up is given orders
        self._answered[replica] = None
        return node.ask(order, STEP_SECONDS_MAX)

    def _shown(self, replica: int | None, question: FleetQuestion) -> Json | None:
        """Return the answer to a question; none by a replica that is down."""
        if question == "store":
            return self._rows()
        if replica is None or replica >= len(self._nodes) or self._nodes[replica] is None:
            return None
        [shown] = self._order(replica, [question])
        answer: Json = shown
        return answer

    def _observe(self, at: Round) -> list[Json]:
        """Ask the questions of a round: one observation of each replica that is up."""
        asked = at.of(self._run.asked)
        rows = self._rows() if "store" in asked else None
        seen = []
        for replica, node in enumerate(self._nodes):
            if node is None:
                continue
            answers = iter(self._answers(replica, [question for question in asked if question != "store"]))
            shown = [rows if question == "store" else next(answers) for question in asked]
            seen.append({"replica": replica, "shown": shown})
        return seen

    def _answers(self, replica: int, asked: list[FleetQuestion]) -> list[Json]:
        """Return the answers of a replica: as before where nothing has run there since it was asked the same.

        A replica's loop stands still between two orders, and no question changes what the next one is answered.
        """
        answered = self._answered[replica]
        if answered is None or answered[0] != asked:
            answered = (asked, self._order(replica, asked))
        self._answered[replica] = answered
        return answered[1]

    def _rows(self) -> Json:
        with self._site.store() as store:
            return {"rows": [reply(self._site.rows.row(record)) for record in store.rows()]}


class _Straight:
    """A write straight into the store, which is one access, and which no fault stops."""

    def __init__(self, write: Write, until: Point | None) -> None:
        self.write = write
        self.until = until
        self.made = False
        self._outcome: Json | None = None

    def go_on(self, site: Surroundings) -> Json:
        """Go on to the place where it is held, or to the end."""
        if self._outcome is None:
            if self.until == Point("before-write", 1):
                return {"held": self.until.said()}
            outcome = self._carry_out(site)
            self.made = outcome == "applied"
            self._outcome = {"changed": {"outcome": outcome}}
            if self.until == Point("after-write", 1):
                return {"held": self.until.said()}
        return self._outcome

    def _carry_out(self, site: Surroundings) -> Json | str:
        write, rows = self.write, site.rows
        with site.store() as store:
            record = store.row(write.row.id if isinstance(write, Put | Add) else write.id)
            if isinstance(write, Add) and record is not None:
                return {"refused": f"the id `{write.row.id}` exists"}
            if isinstance(write, Put | Add):
                store.put(rows.record(write.row))
            elif record is None:
                return "unchanged"
            elif isinstance(write, Delete):
                store.remove(write.id)
            else:
                assert isinstance(write, Patch)  # noqa: S101  the last of the writes
                store.put(rows.patched(record, write.fields))
        return "applied"


def _replica_of(act: Op) -> int | None:
    return act.via if isinstance(act, WriteOp) else act.replica
