"""A small router in Python, and the adapter that puts it on trial."""

import json
import re
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


def step(router, verb, value):
    if verb == "lookup":
        return {"answered": answer(router, value)}
    return {"changed": attempt(router, {"upsert": router.put, "delete": router.delete}[verb], value)}


def run(asked):
    """One trace, from a fresh router on, and what is seen of it on the way."""
    router, steps, observations = Router(), [], []
    initial = attempt(router, router.put, *asked.get("initial", []))
    for done in range(len(asked["steps"]) + 1):
        if done in asked["observe"]:
            observations.append({"answers": [answer(router, query) for query in asked["queries"]]})
        if done < len(asked["steps"]):
            [(verb, value)] = asked["steps"][done].items()
            steps.append(step(router, verb, value))
    return {"initial": initial, "steps": steps, "observations": observations}


HELLO = {
    "protocol": 1,
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
