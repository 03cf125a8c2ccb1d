"""Tests of the facts that depend on LiteLLM's release."""

from __future__ import annotations

import json

import pytest

from routeproof_litellm import dialect as dialects
from routeproof_litellm.dialect import BUNDLES, NEWEST_WITH_PRESET, Dialect, parse_version, refusal, semantics
from routeproof_litellm.fields import Json, WireError
from routeproof_litellm.wire import HELLO_ITEMS_MAX, Add, Replace, Row, Run

PATHS = ("sync", "async")


def hello(release: str, paths: tuple[str, ...] = PATHS, lacks: frozenset[str] = frozenset()) -> Json:
    return Dialect(release).hello(paths, lacks)


@pytest.mark.parametrize("release", ["1.82.7", "1.82.8", "1.107.0", "1.107.9"])
def test_refuses_releases_reported_as_compromised(release: str) -> None:
    assert "compromised" in str(refusal(parse_version(release)))


@pytest.mark.parametrize("release", ["1.85.0", "1.106.10", "1.108.0", "1.109.1", "1.110.0rc1", "1.110.2", "2.0.0"])
def test_drives_the_others(release: str) -> None:
    assert refusal(parse_version(release)) is None


def test_refuses_what_is_older_and_what_is_no_release() -> None:
    assert "too old" in str(refusal(parse_version("1.84.10")))
    with pytest.raises(ValueError, match="is no release"):
        parse_version("main")


@pytest.mark.parametrize(
    ("release", "preset"),
    [
        ("1.85.0", "litellm-1.85"),
        ("1.86.7", "litellm-1.85"),
        ("1.87.0", "litellm-1.87"),
        ("1.102.4", "litellm-1.87"),
        ("1.103.0", "litellm-1.103"),
        ("1.108.3", "litellm-1.103"),
        ("1.108.4", "litellm-1.108.4"),
        ("1.109.1", "litellm-1.108.4"),
        ("1.109.3", "litellm-1.108.4"),
        ("1.110.0rc1", "litellm-1.110"),
        (NEWEST_WITH_PRESET, "litellm-1.110"),
        ("2.0.0", None),
    ],
)
def test_names_the_preset(release: str, preset: str | None) -> None:
    assert semantics(parse_version(release)) == preset


def test_claims_no_preset_where_none_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hello("1.110.0")["dialect"]["semantics"] == "litellm-1.110"
    monkeypatch.setattr(dialects, "NEWEST_WITH_PRESET", "1.109.3")
    assert hello("1.110.0")["dialect"]["semantics"] is None


def test_declares_what_the_router_offers() -> None:
    said = hello("1.110.2", paths=("async",), lacks=frozenset({"add", "replace"}))
    assert said["dialect"]["paths"] == ["async"]
    assert set(hello("1.110.2")["capabilities"]) - set(said["capabilities"]) == {"add", "replace"}


def test_offers_only_what_the_release_knows() -> None:
    old = {extra["name"] for extra in hello("1.85.0")["dialect"]["extras"]}
    new = {extra["name"] for extra in hello("1.109.1")["dialect"]["extras"]}
    assert old < new == {bundle.name for bundle in BUNDLES}
    assert "access-window" not in old
    assert len(new) == len(BUNDLES) <= HELLO_ITEMS_MAX
    row = Row("d1", "m", "openai/m", "v1", extra="access-window")
    for run in (Run([row], [], [], []), *(Run([], [step], [], []) for step in (Add(row), Replace([row])))):
        Dialect("1.109.1").check(run)
        with pytest.raises(WireError, match="no extra `access-window`"):
            Dialect("1.85.0").check(run)


def test_says_a_row_in_the_words_of_litellm() -> None:
    row = Row("d1", "m", "openai/m", "v1", "A", "x*", blocked=True, weight=2, extra="access-group")
    assert Dialect("1.109.1").deployment(row) == (
        {"model": "openai/m", "api_key": "v1", "weight": 2},
        {
            "id": "d1",
            "db_model": True,
            "blocked": True,
            "team_id": "A",
            "team_public_model_name": "x*",
            "access_groups": ["beta"],
        },
    )


def test_a_bundle_is_never_shared_between_rows() -> None:
    row = Row("d1", "m", "openai/m", "v1", extra="data-sources")
    params, _ = Dialect("1.109.1").deployment(row)
    params["dataSources"][0]["parameters"]["key"] = "changed"
    again, _ = Dialect("1.109.1").deployment(row)
    assert again["dataSources"][0]["parameters"]["key"] == "k"


def test_hello_is_json_with_unique_names() -> None:
    said = json.loads(json.dumps(hello("1.109.1")))
    names = [extra["name"] for extra in said["dialect"]["extras"]]
    assert len(set(names)) == len(names)
    assert said["dialect"]["paths"] == ["sync", "async"]
    assert said["dialect"]["extras"][0] == {
        "name": "pricing",
        "why": BUNDLES[0].why,
        "plain": True,
        "params": {"litellm_params": dict(BUNDLES[0].litellm_params), "model_info": {}},
    }
