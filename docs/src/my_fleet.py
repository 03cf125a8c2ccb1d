"""A small gateway whose replicas are processes over one SQLite table, and the adapter that puts it on trial.

Started with one of the words in `WRONG` it is wrong in that way.
"""

import json
import multiprocessing
import os
import signal
import sqlite3
import sys
import tempfile

WRONG = ("no-lock", "keeps-deleted", "failure-empties")
wrong = sys.argv[1] if len(sys.argv) > 1 else None


class StoreError(Exception):
    """The store cannot be read or written."""


class Refused(Exception):
    """A write that cannot be made."""


class Replica:
    """One replica: in your case, code that you already have. Each `yield` stands for an access to the store."""

    def __init__(self):
        self.rows = {}

    def poll(self):
        try:
            read = yield "read", lambda store: store.execute("select id, row from rows").fetchall()
        except StoreError:
            if wrong != "failure-empties":
                raise
            read = []
        rows = {row_id: json.loads(row) for row_id, row in read}
        self.rows = {**self.rows, **rows} if wrong == "keeps-deleted" else rows

    def start(self):
        yield from self.poll()

    def put(self, row):
        yield "write", lambda store: upsert(store, row)
        yield from self.poll()

    def delete(self, row_id):
        gone = yield "write", lambda store: store.execute("delete from rows where id = ?", [row_id]).rowcount
        yield from self.poll()
        return "applied" if gone else "unchanged"

    def patch(self, row_id, fields):
        """Changes the row that was read, unless somebody else has written it since: then once more."""
        while True:
            found = yield "read", lambda store: store.execute("select row from rows where id = ?", [row_id]).fetchone()
            if found is None:
                raise Refused(f"there is no row {row_id}")
            row = json.dumps({**json.loads(found[0]), **fields})
            change = "update rows set row = ? where id = ? and row = ?"
            if (yield "write", lambda store: store.execute(change, [row, row_id, found[0]]).rowcount):
                break
        yield from self.poll()

    def lookup(self, name):
        return [row for row in self.rows.values() if row["model_name"] == name and not row.get("blocked")]


def upsert(store, row):
    change = "insert into rows values (?, ?) on conflict (id) do update set row = excluded.row"
    store.execute(change, [row["id"], json.dumps(row)])


# The adapter. First the half that runs in each replica's process: it carries on an operation from one access to the
# store to the next, so that it can be held in between.


class Operation:
    """An operation under way: what it is to do in the store next, and what came of it if that is done."""

    def __init__(self, name, verb, steps, until):
        self.name, self.verb, self.steps, self.until = name, verb, steps, until
        self.access, self.came, self.counts = None, None, {"read": 0, "write": 0}
        self.now, self.told = None, None

    def is_held(self, side):
        """Whether it is to be held on this side of its access, which it then is."""
        kind = self.access[0]
        point = {"place": f"{side}-{kind}", "nth": self.counts[kind] + (side == "before")}
        if self.until == point:
            self.now = {"held": point}
        return self.until == point

    def is_over(self):
        return self.now is not None and not (isinstance(self.now, dict) and {"held", "waiting"} & self.now.keys())


class Node:
    """A replica with its operations under way. One at a time works; the others wait for it."""

    def __init__(self, file):
        self.replica, self.store = Replica(), sqlite3.connect(file, isolation_level=None)
        self.operations, self.fails = [], False

    def begin(self, name, verb, values, until):
        self.operations.append(Operation(name, verb, getattr(self.replica, verb)(*values), until))
        return self.go_on()

    def finish(self, name):
        for operation in self.operations:
            if operation.name == name:
                operation.until = None
        return self.go_on()

    def fail(self, fails):
        self.fails = fails
        return []

    def go_on(self):
        """Carries on what can be carried on, and tells of each operation whose state changed."""
        for place, operation in enumerate(self.operations):
            first = next((one for one in self.operations[:place] if not one.is_over()), None)
            if first is not None and wrong != "no-lock":
                operation.now = {"waiting": first.name}
            else:
                self.carry_on(operation)
        moved = [one for one in self.operations if one.now != one.told]
        for one in moved:
            one.told = one.now
        self.operations = [one for one in self.operations if not one.is_over()]
        return [{"op": one.name, "now": one.now} for one in moved]

    def carry_on(self, operation):
        if operation.until and isinstance(operation.now, dict) and "held" in operation.now:
            return
        try:
            while True:
                operation.access = operation.access or next(operation.steps)
                if operation.came is None:
                    if operation.is_held("before"):
                        return
                    operation.came = self.touch(operation.access[1])
                    operation.counts[operation.access[0]] += 1
                    if operation.is_held("after"):
                        return
                (result, error), operation.came = operation.came, None
                operation.access = operation.steps.throw(error) if error else operation.steps.send(result)
        except StopIteration as end:
            is_write = operation.verb in ("put", "patch", "delete")
            operation.now = {"changed": {"outcome": end.value or "applied"}} if is_write else "done"
        except Refused as why:
            operation.now = {"changed": {"outcome": {"refused": str(why)}}}
        except StoreError as why:
            operation.now = {"failed": str(why)}

    def touch(self, access):
        return (None, StoreError("the store fails")) if self.fails else (access(self.store), None)

    def ask(self, asked):
        return [self.answer(question) for question in asked]

    def answer(self, question):
        if question == "claims":
            return {"ids": list(self.replica.rows)}
        found = [{key: row[key] for key in ("id", "model", "tag")} for row in self.replica.lookup(question["lookup"]["model"])]
        return {"answers": [{"candidates": found} if found else {"refused": "unknown_model"}]}


def serve(pipe, file):
    node = Node(file)
    while True:
        verb, *values = pipe.recv()
        pipe.send(getattr(node, verb)(*values))


# The half that talks to the gate, and makes the processes.


class Fleet:
    def __init__(self, setup, directory):
        self.file = os.path.join(directory, "store")
        self.store = sqlite3.connect(self.file, isolation_level=None)
        self.store.execute("pragma synchronous = off")
        self.store.execute("create table rows (id text primary key, row text)")
        for row in setup.get("rows", []):
            upsert(self.store, row)
        self.replicas, self.fails = {}, False
        for replica in range(setup["replicas"]):
            self.start(replica, f"start-{replica}")

    def start(self, replica, name):
        if replica in self.replicas:
            return [{"op": name, "now": "done"}]
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=serve, args=(theirs, self.file), daemon=True)
        process.start()
        theirs.close()
        self.replicas[replica] = process, ours
        self.call(replica, "fail", self.fails)
        return self.call(replica, "begin", name, "start", [], None)

    def crash(self, replica):
        if replica in self.replicas:
            process, pipe = self.replicas.pop(replica)
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            pipe.close()
        return []

    def call(self, replica, *message):
        pipe = self.replicas[replica][1]
        pipe.send(message)
        return pipe.recv()

    def end(self):
        for replica in list(self.replicas):
            self.crash(replica)
        self.store.close()

    def step(self, number, verb, value):
        name = f"#{number}"
        if verb == "begin":
            until = {"place": value["until"], "nth": value.get("nth", 1)}
            [(verb, act)] = value["act"].items()
            return {"moved": self.operate(value["op"], verb, act, until)}
        if verb in ("poll", "write", "start"):
            return {"moved": self.operate(name, verb, value, None)}
        if verb == "finish":
            moved = [one for replica in list(self.replicas) for one in self.call(replica, "finish", value)]
            return {"moved": moved}
        if verb == "store_fails":
            self.fails = value
            for replica in self.replicas:
                self.call(replica, "fail", value)
            return {"moved": []}
        if verb == "crash":
            return {"moved": self.crash(value)}
        # A question, which names its replica unless it is about the store.
        question = {verb: value} if verb == "lookup" else verb
        if verb == "store" or value["replica"] in self.replicas:
            return {"shown": self.ask(value.get("replica"), [question])[0]}
        return {"moved": []}

    def operate(self, name, verb, act, until):
        if verb == "start":
            return self.start(act, name)
        if verb == "poll":
            replica, call, values = act, "poll", []
        elif act["via"] == "store":
            return [{"op": name, "now": {"changed": {"outcome": self.write(act["write"])}}}]
        else:
            replica = act["via"]["replica"]
            [(call, value)] = act["write"].items()
            values = [value["id"], value["fields"]] if call == "patch" else [value]
        if replica not in self.replicas:
            return [{"op": name, "now": {"failed": "that replica is down"}}]
        moved = self.call(replica, "begin", name, call, values, until)
        # The step's own operation comes first.
        return sorted(moved, key=lambda one: one["op"] != name)

    def write(self, write):
        """A write straight into the store, as a migration would make it."""
        [(verb, value)] = write.items()
        if verb == "put":
            upsert(self.store, value)
            return "applied"
        if verb == "delete":
            return "applied" if self.store.execute("delete from rows where id = ?", [value]).rowcount else "unchanged"
        found = self.store.execute("select row from rows where id = ?", [value["id"]]).fetchone()
        if found is None:
            return "unchanged"
        upsert(self.store, {**json.loads(found[0]), **value["fields"]})
        return "applied"

    def ask(self, replica, asked):
        others = [one for one in asked if one != "store"]
        shown = self.call(replica, "ask", others) if others else []
        rows = [json.loads(row) for (row,) in self.store.execute("select row from rows order by id")]
        return [{"rows": rows} if one == "store" else shown.pop(0) for one in asked]

    def observe(self, asked):
        return [{"replica": replica, "shown": self.ask(replica, asked)} for replica in sorted(self.replicas)]


def run(request):
    trace, questions = request["trace"], request.get("questions", {})
    due = {one["after"]: one.get("order") for one in questions.get("rounds", [])}
    asked = questions.get("asked", [])
    with tempfile.TemporaryDirectory() as directory:
        fleet, steps, rounds = Fleet(trace["setup"], directory), [], []
        for done in range(len(trace["steps"]) + 1):
            if done in due:
                order = range(len(asked)) if due[done] is None else due[done]
                rounds.append(fleet.observe([asked[place] for place in order]))
            if done < len(trace["steps"]):
                [(verb, value)] = trace["steps"][done].items()
                steps.append(fleet.step(done + 1, verb, value))
        fleet.end()
    return {"setup": {"outcome": "applied"}, "steps": steps, "rounds": rounds}


HELLO = {
    "protocol": 2,
    "router": "my-fleet",
    "version": "1.0.0",
    "capabilities": ["upsert", "delete", "claims", "fleet", "admin", "patch", "hold", "crash", "store_fails"],
    "dialect": {},
}

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    for line in sys.stdin:
        request = json.loads(line)
        call = request["call"]
        reply = {"hello": HELLO} if "hello" in call else {"runs": [run(one) for one in call["runs"]]}
        print(json.dumps({"id": request["id"], "reply": reply}), flush=True)
