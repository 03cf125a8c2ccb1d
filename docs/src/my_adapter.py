"""A small router in Python, and the adapter that puts it on trial."""

import json
import re
import shlex
import sys
import unicodedata


class Router:
    """The router: in your case, code that you already have."""

    def __init__(self):
        self.rows = {}

    def put(self, row):
        if not all(map(valid, (row["id"], row["model_name"], row["model"], row["tag"]))):
            raise ValueError("a text is empty, too long or holds a control character")
        if row["model"].count("*") not in (0, row["model_name"].count("*")):
            raise ValueError("the target has another number of `*` than the name")
        self.rows[row["id"]] = row

    def delete(self, row_id):
        self.rows.pop(row_id, None)

    def lookup(self, asked):
        """The rows that serve `asked`, each with its target: by name, by id, by the best pattern."""
        rows = self.rows.values()
        found = [row for row in rows if row["model_name"] == asked and "*" not in asked]
        found = found or [row for row in rows if row["id"] == asked]
        if found:
            return [(row, row["model"]) for row in found]
        patterns = {row["model_name"] for row in rows if "*" in row["model_name"]}
        # Most literal characters, then fewest `*`, then lexicographic order.
        for name in sorted(patterns, key=lambda name: (name.count("*") - len(name), name.count("*"), name)):
            if match := re.fullmatch(re.escape(name).replace(r"\*", "(.*)"), asked):
                return [(row, fill(row["model"], match)) for row in rows if row["model_name"] == name]
        return []


def valid(text):
    return 1 <= len(text.encode()) <= 1024 and not any(unicodedata.category(c) == "Cc" for c in text)


def fill(target, match):
    captures = iter(match.groups())
    return re.sub(r"\*", lambda _: next(captures), target)


# The adapter: it translates, and knows nothing of what is right.


def attempt(router, operation, *values):
    """Says what became of a change, all of it or nothing, and which ids are held now."""
    before, outcome = dict(router.rows), "applied"
    try:
        for value in values:
            operation(value)
    except ValueError as why:
        router.rows, outcome = before, {"refused": str(why)}
    return {"outcome": outcome, "held": list(router.rows)}


def answer(router, query):
    """One answer, since the router has one code path."""
    if not valid(query["model"]) or not valid(query.get("team", "none")):
        return [{"refused": "invalid"}]
    found = [{"id": row["id"], "model": model, "tag": row["tag"]} for row, model in router.lookup(query["model"])]
    return [{"candidates": found} if found else {"refused": "unknown_model"}]


def ask(router, verb, value=None):
    """Answers one question; the gate asks only for what the hello declares."""
    if verb == "claims":
        return {"ids": list(router.rows)}
    return {"answers": answer(router, value)}


def step(router, verb, value):
    if verb in ("lookup", "claims"):
        return {"shown": ask(router, verb, value)}
    return {"changed": attempt(router, {"upsert": router.put, "delete": router.delete}[verb], value)}


def observe(router, asked, order):
    """Answers the questions of one round: all in their order, or those whose places `order` lists."""
    chosen = asked if order is None else [asked[place] for place in order]
    # A question that says no more than its verb is a string.
    pairs = [(one, None) if isinstance(one, str) else next(iter(one.items())) for one in chosen]
    return [{"shown": [ask(router, verb, value) for verb, value in pairs]}]


def typed(verb, value):
    """What a person types to do the same: here the router's own command; of a router behind HTTP it is a `curl` line."""
    return shlex.join(["my-router", verb, json.dumps(value)])


def run(request):
    """Carries out one trace from a fresh router on, and returns what came of each step and round."""
    trace, questions = request["trace"], request.get("questions", {})
    router, steps, rounds, did = Router(), [], [], []
    setup = attempt(router, router.put, *trace.get("setup", {}).get("rows", []))
    due = {one["after"]: one.get("order") for one in questions.get("rounds", [])}
    for done in range(len(trace["steps"]) + 1):
        if done in due:
            rounds.append(observe(router, questions.get("asked", []), due[done]))
        if done < len(trace["steps"]):
            [(verb, value)] = trace["steps"][done].items()
            steps.append(step(router, verb, value))
            did.append(typed(verb, value))
    return {"setup": setup, "steps": steps, "rounds": rounds, "did": did}


HELLO = {
    "protocol": 2,
    "router": "my-router",
    "version": "1.0.0",
    "capabilities": ["upsert", "delete", "patterns", "ids", "claims"],
    "dialect": {"semantics": "strict"},
}

for line in sys.stdin:
    request = json.loads(line)
    call = request["call"]
    reply = {"hello": HELLO} if "hello" in call else {"runs": [run(one) for one in call["runs"]]}
    print(json.dumps({"id": request["id"], "reply": reply}), flush=True)
