"""The real router behind the protocol, whatever release stands beside the tests.

Only what holds in every release is tested here: that the adapter asks and reports faithfully. What is wrong with a
release is for the trial to find.
"""

from __future__ import annotations

import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import pytest

from routeproof_litellm import dialect as dialects
from routeproof_litellm.candidates import WAYS, Listed
from routeproof_litellm.fields import WireError
from routeproof_litellm.surface import Surface
from routeproof_litellm.wire import Add, Delete, Listing, Query, Replace, Round, Row, Run, Upsert, Wait

if TYPE_CHECKING:
    from routeproof_litellm.candidates import Way
    from routeproof_litellm.dialect import Bundle, Dialect
    from routeproof_litellm.fields import Json
    from routeproof_litellm.router import LiteLlm
    from routeproof_litellm.wire import Step

EXACT = Row("d1", "m", "openai/m", "v1")
WILD = Row("d2", "x*", "openai/*", "v1")
TEAM = Row("d3", "internal", "openai/t", "v1", "A", "y*")


def ask(router: LiteLlm, initial: list[Row], steps: list[Step], *queries: Query) -> Json:
    rounds = [Round(0), Round(len(steps))] if steps else [Round(0)]
    return router.run(Run(initial, steps, [*queries, Listing(), Listing("A"), "claims", "sizes"], rounds))


def seen(reply: Json, at: int) -> Json:
    """One round by kind of answer: those to the queries, the names for each caller, the claims, the sizes."""
    [observation] = reply["rounds"][at]
    *answers, everyone, team, claims, sizes = observation["shown"]
    return {
        "answers": [shown["answers"] for shown in answers],
        "listings": [everyone["names"], team["names"]],
        "ids": claims["ids"],
        "sizes": sizes["sizes"],
    }


def one(row: Row, model: str | None = None) -> Json:
    return {"candidates": [{"id": row.id, "model": model or row.model, "tag": row.tag}]}


UNKNOWN = {"refused": "unknown_model"}


def test_a_fresh_router_answers_on_both_paths(router: LiteLlm) -> None:
    reply = ask(router, [EXACT, WILD, TEAM], [], Query("m"), Query("xyz"), Query("yz", "A"), Query("yz", "B"))
    assert reply["setup"] == {"outcome": "applied", "held": ["d1", "d2", "d3"]}
    shown = seen(reply, 0)
    assert shown["ids"] == ["d1", "d2", "d3"]
    assert shown["answers"] == [
        [one(EXACT)] * 2,
        [one(WILD, "openai/yz")] * 2,
        [one(TEAM)] * 2,
        [UNKNOWN] * 2,
    ]
    assert shown["listings"] == [["m", "x*"], ["m", "x*", "y*"]]


def test_the_paths_differ_in_their_filters(router: LiteLlm, dialect: Dialect) -> None:
    reply = ask(router, [TEAM], [], Query("internal"))
    blocked = {"refused": "blocked"}
    # From 1.110 on the sync path asks for the caller's team as well.
    sync = blocked if dialect.version >= (1, 110, 0) else one(TEAM)
    assert seen(reply, 0)["answers"] == [[sync, blocked]]


def test_all_that_is_picked_from_is_a_candidate(router: LiteLlm) -> None:
    twins = [EXACT._replace(id=f"d{number}", tag=f"v{number}", weight=number) for number in range(3)]
    [[sync, parallel]] = seen(ask(router, twins, [], Query("m")), 0)["answers"]
    assert sync == parallel
    assert [candidate["tag"] for candidate in sync["candidates"]] == ["v0", "v1", "v2"]


def test_each_change_says_what_the_router_said(router: LiteLlm) -> None:
    changed = EXACT._replace(tag="v2")
    steps: list[Step] = [
        Upsert(EXACT),
        Upsert(EXACT),
        Upsert(changed),
        Add(changed),
        Add(WILD),
        Delete("d2"),
        Delete("d2"),
        Query("m"),
        Replace([TEAM]),
    ]
    replies = ask(router, [], steps)["steps"]
    outcomes = [reply["changed"]["outcome"] for reply in replies if "changed" in reply]
    refused = {"refused": "swallowed: add returned None, and the deployment of this id stays"}
    assert outcomes == [
        "applied",
        "unchanged",
        "applied",
        refused,
        "applied",
        "applied",
        "unchanged",
        "applied",
    ]
    assert replies[2]["changed"]["held"] == ["d1"]
    assert replies[7] == {"shown": {"answers": [one(changed)] * 2}}
    assert replies[8]["changed"]["held"] == ["d3"]


def test_an_exception_of_a_change_is_its_refusal(router: LiteLlm) -> None:
    nowhere = EXACT._replace(model="nowhere")
    for step in (Upsert(nowhere), Add(nowhere), Replace([nowhere])):
        [reply] = ask(router, [], [step])["steps"]
        assert "LLM Provider NOT provided" in reply["changed"]["outcome"]["refused"]
        assert reply["changed"]["held"] == []


def test_a_refused_construction_leaves_an_empty_router(router: LiteLlm) -> None:
    reply = ask(router, [EXACT, EXACT._replace(id="d9", model="nowhere")], [Upsert(WILD)], Query("m"), Query("xy"))
    assert "LLM Provider NOT provided" in reply["setup"]["outcome"]["refused"]
    assert reply["setup"]["held"] == []
    assert seen(reply, 0)["answers"] == [[UNKNOWN] * 2] * 2
    assert seen(reply, 1)["answers"] == [[UNKNOWN] * 2, [one(WILD, "openai/y")] * 2]


def test_the_router_of_the_proxy_swallows_its_refusals(swallowing: LiteLlm) -> None:
    nowhere = WILD._replace(id="d9", model="nowhere")
    reply = ask(swallowing, [EXACT, nowhere], [Upsert(nowhere)])
    assert reply["setup"] == {"outcome": "applied", "held": ["d1"]}
    [changed] = [step["changed"] for step in reply["steps"]]
    assert changed["held"] == ["d1"]
    # The reason is the one that the router wrote to its log.
    refused = changed["outcome"]["refused"]
    assert refused.startswith("swallowed: ")
    assert "LLM Provider NOT provided" in refused
    assert refused.endswith(", and there is no deployment of this id")


def test_what_a_swallowed_refusal_did_is_seen(swallowing: LiteLlm) -> None:
    nowhere = EXACT._replace(model="nowhere", tag="v2")
    reply = ask(swallowing, [EXACT], [Upsert(EXACT), Add(WILD), Upsert(nowhere), Add(WILD), Add(TEAM)])
    outcomes = [step["changed"]["outcome"] for step in reply["steps"]]
    assert [outcomes[index] for index in (0, 1, 4)] == ["unchanged", "applied", "applied"]
    # Some releases lose the former row when they refuse the new one, and others put it back.
    kept = "d1" in reply["steps"][2]["changed"]["held"]
    what = ", and the deployment of this id stays" if kept else ", and there is no deployment of this id"
    assert "LLM Provider NOT provided" in outcomes[2]["refused"]
    assert outcomes[2]["refused"].endswith(what)
    # What was heard of one change is not told of another.
    assert outcomes[3] == {"refused": "swallowed: add returned None, and the deployment of this id stays"}


def test_a_list_of_which_nothing_is_held_was_refused(swallowing: LiteLlm) -> None:
    nowhere = EXACT._replace(id="d9", model="nowhere")
    reply = ask(swallowing, [nowhere], [Replace([EXACT, nowhere]), Replace([nowhere]), Replace([])])
    assert "LLM Provider NOT provided" in reply["setup"]["outcome"]["refused"]
    part, whole, empty = (step["changed"] for step in reply["steps"])
    # Of a list of which a part is left out the ids tell which.
    assert part == {"outcome": "applied", "held": ["d1"]}
    assert whole["outcome"]["refused"].startswith("swallowed: ")
    assert whole["outcome"]["refused"].endswith(", and no deployment of the list is held")
    assert empty == {"outcome": "applied", "held": []}


@pytest.mark.parametrize("returned", [None, object()])
def test_the_registry_decides_what_became_of_a_row(
    router: LiteLlm, monkeypatch: pytest.MonkeyPatch, returned: object
) -> None:
    monkeypatch.setattr(Surface, "upsert", lambda *_: returned)
    reply = ask(router, [EXACT], [Upsert(EXACT._replace(tag="v2")), Upsert(WILD)])
    kept, gone = (step["changed"]["outcome"]["refused"] for step in reply["steps"])
    assert kept.startswith("swallowed: upsert returned")
    assert kept.endswith(", and the deployment of this id stays")
    assert gone.endswith(", and there is no deployment of this id")


BROKEN = [None, *(bundle for bundle in dialects.BUNDLES if bundle.name.endswith("-broken"))]


@pytest.mark.parametrize("bundle", BROKEN, ids=[bundle.name if bundle else "no-provider" for bundle in BROKEN])
@pytest.mark.parametrize("verb", [Upsert, Add])
def test_a_row_that_is_not_held_was_not_applied(
    swallowing: LiteLlm, verb: type[Upsert | Add], bundle: Bundle | None
) -> None:
    target = (bundle.target if bundle else "nowhere") or EXACT.model
    row = EXACT._replace(id="d9", model=target, tag="v2", extra=bundle.name if bundle else None)
    reply = swallowing.run(Run([EXACT], [verb(row)], ["holds"], [Round(1)]))
    outcome = reply["steps"][0]["changed"]["outcome"]
    held = "v2" in reply["rounds"][0][0]["shown"][0]["holds"]["model_list"]
    if outcome == "applied":
        assert held
    elif "swallowed: " in outcome["refused"]:
        assert not held


def test_a_blocked_row(router: LiteLlm, dialect: Dialect) -> None:
    row = EXACT._replace(blocked=True)
    said = {"refused": "blocked"} if dialect.version >= (1, 87, 0) else one(row)
    assert seen(ask(router, [row], [], Query("m"), Query("d1")), 0)["answers"] == [[said] * 2] * 2


@pytest.mark.parametrize("path", [0, 1])
def test_any_other_exception_of_a_lookup_is_a_failure(
    router: LiteLlm, monkeypatch: pytest.MonkeyPatch, path: int
) -> None:
    name = ("get_available_deployment", "async_get_available_deployment")[path]

    def broken(*_: object, **__: object) -> None:
        raise KeyError("m")

    monkeypatch.setattr(sys.modules["litellm"].Router, name, broken)
    answers = seen(ask(router, [EXACT], [], Query("m")), 0)["answers"][0]
    assert answers[path] == {"failed": "KeyError: 'm'"}
    assert answers[1 - path] == one(EXACT)


@pytest.mark.parametrize("path", [0, 1])
def test_a_failure_is_no_refusal_whatever_it_says(router: LiteLlm, monkeypatch: pytest.MonkeyPatch, path: int) -> None:
    name = ("get_available_deployment", "async_get_available_deployment")[path]

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("No deployments available for selected model: there are no healthy deployments")

    monkeypatch.setattr(sys.modules["litellm"].Router, name, broken)
    assert "RuntimeError" in seen(ask(router, [EXACT], [], Query("m")), 0)["answers"][0][path]["failed"]


MIXED = [
    *(EXACT._replace(id=f"d{number}", tag=f"v{number}", weight=number) for number in range(3)),
    WILD._replace(id="w1"),
    WILD._replace(id="w2", tag="v2"),
    WILD._replace(id="w3", tag="v3", blocked=True),
    TEAM._replace(id="t1"),
]
ASKED = [Query("m"), Query("d1"), Query("xy"), Query("yz", "A"), Query("yz", "B"), Query("nope")]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_every_way_to_see_candidates_shows_the_same(
    router: LiteLlm, dialect: Dialect, monkeypatch: pytest.MonkeyPatch, way: type[Way]
) -> None:
    driver = sys.modules["routeproof_litellm.router"]
    monkeypatch.setattr(sys.modules["routeproof_litellm.asking"], "WAYS", (way,))
    try:
        other: LiteLlm = driver.LiteLlm(dialect)
    except AttributeError:
        pytest.skip("this release shows its candidates in another way")
    paths = [["sync", "async"].index(path) for path in other.hello()["dialect"]["paths"]]
    wanted = seen(ask(router, MIXED, [], *ASKED), 0)["answers"]
    assert seen(ask(other, MIXED, [], *ASKED), 0)["answers"] == [
        [answers[path] for path in paths] for answers in wanted
    ]


def test_the_last_resort_shows_the_async_path(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = sys.modules["routeproof_litellm.router"]
    monkeypatch.setattr(sys.modules["routeproof_litellm.asking"], "WAYS", (Listed,))
    assert driver.LiteLlm(dialect).hello()["dialect"]["paths"] == ["async"]


def test_a_router_that_shows_no_candidates_is_not_driven(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = sys.modules["routeproof_litellm.router"]
    monkeypatch.setattr(sys.modules["routeproof_litellm.asking"], "WAYS", ())
    with pytest.raises(AttributeError, match="no way to see what its router picks from"):
        driver.LiteLlm(dialect)


class EntryPoints(Surface):
    """A release without the methods that 1.110 says will go."""

    OLD = frozenset(
        {
            "upsert_deployment",
            "delete_deployment",
            "get_deployment",
            "get_model_names",
            "get_model_ids",
            "async_get_available_deployment",
            "async_get_healthy_deployments",
            "discard",
        }
    )

    def has(self, name: str) -> bool:
        """Deny the methods that will go."""
        return name not in self.OLD and super().has(name)


def test_the_entry_points_stand_in_for_the_methods(
    router: LiteLlm, dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = sys.modules["routeproof_litellm.router"]
    if not hasattr(driver.importlib.import_module("litellm").Router, "apply"):
        pytest.skip("this release has no entry points")
    monkeypatch.setattr(sys.modules["routeproof_litellm.asking"], "Surface", EntryPoints)
    other: LiteLlm = driver.LiteLlm(dialect)
    steps: list[Step] = [Upsert(EXACT), Upsert(EXACT), Add(WILD), Add(WILD), Delete("d1"), Delete("d1"), Upsert(TEAM)]
    wanted, got = (ask(driven, MIXED, steps, *ASKED) for driven in (router, other))
    assert got["steps"] == wanted["steps"]
    assert got["rounds"] == wanted["rounds"]


class Bare(Surface):
    """A release that has dropped what a trial can do without."""

    def has(self, name: str) -> bool:
        """Deny all but three."""
        return name in {"upsert_deployment", "get_deployment", "async_get_available_deployment"}


def test_what_a_release_lacks_is_neither_declared_nor_tried(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = sys.modules["routeproof_litellm.router"]
    monkeypatch.setattr(sys.modules["routeproof_litellm.asking"], "Surface", Bare)
    bare: LiteLlm = driver.LiteLlm(dialect)
    said = bare.hello()
    assert said["dialect"]["paths"] == ["async"]
    assert not {"add", "delete", "replace", "listing", "claims"} & set(said["capabilities"])
    reply = bare.run(Run([EXACT], [Upsert(WILD)], [Query("xy")], [Round(1)]))
    assert reply["steps"] == [{"changed": {"outcome": "applied", "held": None}}]
    assert reply["rounds"] == [[{"shown": [{"answers": [one(WILD, "openai/y")]}]}]]
    with pytest.raises(WireError, match="has no method for `delete`"):
        bare.run(Run([], [Delete("d1")], [], []))


def test_sizes_count_entries(router: LiteLlm) -> None:
    twin = WILD._replace(id="d4", tag="v2")
    reply = ask(router, [EXACT], [Upsert(WILD), Upsert(twin), Upsert(TEAM), Delete("d1")])
    before, after = (seen(reply, at)["sizes"] for at in (0, 1))
    assert before["model_list"] == 1
    assert after["model_list"] == after.get("model_id_to_deployment_index_map", 3) == 3
    assert (before["pattern_router"], after["pattern_router"]) == (0, 2)
    assert (before["team_pattern_routers"], after["team_pattern_routers"]) == (0, 1)
    assert before["model_name_to_deployment_indices"] == 1
    assert after["model_name_to_deployment_indices"] == 3
    assert before["callbacks"] == after["callbacks"] == 0


def test_each_structure_names_the_versions_that_it_holds(router: LiteLlm) -> None:
    changed = WILD._replace(tag="v7")
    steps: list[Step] = [Upsert(WILD), Upsert(TEAM._replace(tag="v3")), Upsert(changed), Delete("d1")]
    reply = router.run(Run([EXACT], steps, ["holds"], [Round(0), Round(len(steps))]))
    before, after = (observed["shown"][0]["holds"] for [observed] in reply["rounds"])
    assert before["model_list"] == before["model_name_to_deployment_indices"] == ["v1"]
    assert before["pattern_router"] == before["team_pattern_routers"] == []
    assert sorted(after["model_list"]) == ["v3", "v7"]
    # Releases up to 1.100 keep the former version of a wildcard.
    assert "v7" in after["pattern_router"]
    assert after["team_pattern_routers"] == ["v3"]
    assert sorted(after["model_name_to_deployment_indices"]) == ["v3", "v7"]
    assert after["team_model_to_deployment_indices"] == ["v3"]


def test_time_is_measured(router: LiteLlm) -> None:
    few = ask(router, [EXACT], [])["router_ns"]
    many = ask(router, [EXACT], [], *[Query("m")] * 200)["router_ns"]
    assert 0 < few < many


def test_a_wait_lets_time_pass_that_is_not_the_routers(router: LiteLlm) -> None:
    began = perf_counter_ns()
    reply = ask(router, [EXACT], [Wait(50)], Query("m"))
    assert perf_counter_ns() - began >= 50_000_000
    assert reply["steps"] == [{"moved": []}]
    assert reply["router_ns"] < 50_000_000
    assert seen(reply, 0) == seen(reply, 1)


def test_a_run_leaves_nothing_behind(router: LiteLlm) -> None:
    litellm: Any = sys.modules["litellm"]
    catalog = frozenset(litellm.model_cost)
    rows = [EXACT._replace(id=f"e{n}", model_name=f"n{n}", extra=name) for n, name in enumerate(["budget", "pricing"])]
    first = ask(router, rows, [Upsert(WILD), Replace([TEAM]), Upsert(EXACT)], Query("m"))
    assert seen(first, 0)["sizes"]["callbacks"] == 1
    assert frozenset(litellm.model_cost) == catalog
    assert litellm.callbacks == []
    assert litellm.success_callback == []
    again = ask(router, [], [], Query("m"), Query("xy"), Query("yz", "A"), Query("e0"))
    shown = seen(again, 0)
    assert shown["answers"] == [[UNKNOWN] * 2] * 4
    assert shown["listings"] == [[], []]
    assert set(shown["sizes"].values()) == {0}


@pytest.mark.parametrize("bundle", dialects.BUNDLES, ids=[bundle.name for bundle in dialects.BUNDLES])
def test_every_bundle_can_be_asked_for(router: LiteLlm, dialect: Dialect, bundle: Bundle) -> None:
    if bundle.name not in dialect.bundles:
        pytest.skip(f"{bundle.name} comes with {bundle.since}")
    exact = EXACT._replace(model=bundle.target or EXACT.model, extra=bundle.name)
    wild = WILD._replace(model=bundle.target or WILD.model, extra=bundle.name)
    queries = (Query("m"), Query("xy"), Query("d1"), Query("xy", "A"))
    built = ask(router, [exact, wild], [], *queries)
    grown = ask(router, [], [Add(exact), Upsert(wild), Upsert(wild._replace(tag="v2")), Replace([exact])], *queries)
    for reply in (built, grown):
        for at in range(len(reply["rounds"])):
            assert not [answer for answers in seen(reply, at)["answers"] for answer in answers if "failed" in answer]
    if bundle.plain:
        target = bundle.target or "openai/y"
        assert built["setup"]["outcome"] == "applied"
        assert seen(built, 0)["answers"] == [
            [one(exact)] * 2,
            [one(wild, target)] * 2,
            [one(exact)] * 2,
            [one(wild, target)] * 2,
        ]
        assert [step["changed"]["outcome"] for step in grown["steps"]] == ["applied"] * 4
