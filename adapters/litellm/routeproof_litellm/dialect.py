"""Facts that depend on LiteLLM's version: what this release is asked for, and how it differs from other routers.

Read from the source of the releases 1.85.0 to 1.110.2. Values only: `router` acts on them, `__main__` announces them.
The operations that a release offers are not listed here, but found out from its router: see `surface` and `candidates`.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from routeproof_litellm.fields import Json, WireError
from routeproof_litellm.wire import PROTOCOL_VERSION, Add, Replace, Row, Run, Upsert

if TYPE_CHECKING:
    from collections.abc import Mapping

Version: TypeAlias = tuple[int, int, int]

OLDEST: Version = (1, 85, 0)
"""The first release that this adapter knows how to drive."""

ENVIRONMENT = "production"
"""The value of `LITELLM_ENVIRONMENT`, with which `supported_environments` is compared."""

ROUTED_MODEL = "a"
"""The name that the routers within the router send requests to: only one, since they choose at random, and a short one,
so that traces are likely to have it."""

CAPABILITIES = (
    "upsert",
    "add",
    "delete",
    "replace",
    "patterns",
    "teams",
    "blocked",
    "ids",
    "weights",
    "listing",
    "sizes",
    "claims",
    "holds",
    "wait",
)

STRUCTURES = {"callbacks": "log", "deployment_latency_map": "cache", "model_cost": "log"}
"""The structures that hold something else than rows: what the process is told on the way, and what calls leave."""

TARGET_PREFIXES = ("openai/", "azure/", "anthropic/")
"""Providers that every release knows; a target without a known provider is refused."""

_COMPROMISED = MappingProxyType(
    {
        (1, 82): (7, 8),
        (1, 107): None,
    }
)
"""Releases reported as compromised, by series: these patches of it, or all."""

_SEMANTICS: tuple[tuple[Version, str], ...] = (
    ((1, 110, 0), "litellm-1.110"),  # both paths drop another team's rows, and targets are filled twice
    ((1, 108, 4), "litellm-1.108.4"),  # a team's patterns come before everybody's
    ((1, 103, 0), "litellm-1.103"),  # an id is looked for only where the text is no model name
    ((1, 87, 0), "litellm-1.87"),  # blocked rows are left out
    ((1, 85, 0), "litellm-1.85"),
)


NEWEST_WITH_PRESET = Path(__file__).with_name("newest_with_preset").read_text(encoding="utf-8").strip()
"""The newest release whose fresh router is known to follow a preset; the gate reads the same file."""


class Bundle(NamedTuple):
    """Parameters that take another way through the registration of a deployment."""

    name: str
    why: str
    litellm_params: Mapping[str, Any] = MappingProxyType({})
    model_info: Mapping[str, Any] = MappingProxyType({})
    target: str | None = None
    since: Version = OLDEST
    plain: bool = True
    """True if such a row is taken, and answers lookups, like any other."""
    copies: bool = False
    """True if such a row is meant to be several deployments of one id."""

    def extra(self) -> Json:
        """Announce the bundle."""
        params = {"litellm_params": dict(self.litellm_params), "model_info": dict(self.model_info)}
        extra: Json = {"name": self.name, "why": self.why, "plain": self.plain, "params": params}
        if self.copies:
            extra["copies"] = True
        return extra if self.target is None else {**extra, "target": self.target}


_ALWAYS = [
    {"start": start, "end": end, "timezone": "UTC", "team_ids": ["nobody"]}
    for start, end in (("00:00", "12:00"), ("12:00", "00:00"))
]

BUNDLES = (
    Bundle(
        "pricing",
        "custom prices are written into the process-wide cost map, under the id and under the target",
        {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
    ),
    Bundle(
        "tiered-pricing",
        "a table of prices takes its missing rates from the built-in entry of the target",
        {"tiered_pricing": [{"range": [0, 1000], "input_cost_per_token": 1e-6}]},
        since=(1, 98, 0),
    ),
    Bundle(
        "base-model",
        "the cost map is asked for another model than the target",
        model_info={"base_model": "gpt-4o"},
    ),
    Bundle(
        "responses",
        "a target of the responses bridge is written into the cost map under two names",
        target="openai/responses/m1",
    ),
    Bundle(
        "budget",
        "a budget creates the budget limiter, a callback that filters candidates and is told of each change",
        {"max_budget": 100.0, "budget_duration": "1d"},
    ),
    Bundle("limits", "rate limits are weights of the pick where no row has a weight", {"rpm": 100, "tpm": 1000}),
    Bundle("tags", "tags key the strategy registries, and their patterns are compiled", {"tags": ["blue"]}),
    Bundle(
        "tag-pattern",
        "patterns for tag routing are compiled by the constructor, and by nothing else",
        {"tags": ["blue"], "tag_regex": ["^User-Agent: curl"]},
    ),
    Bundle(
        "tag-pattern-broken",
        "the constructor refuses a pattern that does not compile, and updates do not look",
        {"tag_regex": ["("]},
        plain=False,
    ),
    Bundle(
        "environment-here",
        "the constructor asks whether the row is meant for this environment, and updates do not",
        model_info={"supported_environments": [ENVIRONMENT]},
    ),
    Bundle(
        "environment-elsewhere",
        "the constructor silently leaves out a row of another environment, and updates do not look",
        model_info={"supported_environments": ["development"]},
        plain=False,
    ),
    Bundle(
        "access-group",
        "access groups are gathered in a cache",
        model_info={"access_groups": ["beta"]},
    ),
    Bundle(
        "config-file",
        "a row of the config file is checked more strictly than one of the database",
        model_info={"db_model": False},
    ),
    Bundle(
        "data-sources",
        "keys of data sources are taken from the environment, in place",
        {"dataSources": [{"parameters": {"endpoint": "os.environ/NOWHERE", "key": "k"}}]},
    ),
    Bundle(
        "provider",
        "the provider is named apart from the target",
        {"custom_llm_provider": "openai"},
    ),
    Bundle(
        "prompt-management",
        "a target of a prompt manager has no provider to check",
        target="langfuse/greeting",
    ),
    Bundle(
        "litellm-proxy",
        "the provider is taken to be another LiteLLM proxy",
        {"use_litellm_proxy": True, "api_base": "http://127.0.0.1:9"},
        since=(1, 100, 0),
    ),
    Bundle(
        "known-endpoint",
        "the provider may be known by its endpoint",
        {"api_base": "https://api.groq.com/openai/v1"},
        since=(1, 100, 0),
    ),
    Bundle(
        "capability-flag",
        "a model capability among the parameters is taken out before the row is served",
        {"supports_vision": True},
        since=(1, 108, 0),
    ),
    Bundle(
        "organizations",
        "the constructor makes one deployment of each organization, all of one id; an update refuses the list",
        {"organization": ["org-1", "org-2"]},
        plain=False,
        copies=True,
    ),
    Bundle("order-1", "of the candidates only those of the lowest order are picked from", {"order": 1}, plain=False),
    Bundle("order-2", "of the candidates only those of the lowest order are picked from", {"order": 2}, plain=False),
    Bundle(
        "pass-through",
        "credentials for pass-through endpoints are kept process-wide, until they are looked up at each request",
        {"use_in_pass_through": True},
    ),
    Bundle(
        "pass-through-credential",
        "the same, of a named credential",
        {"use_in_pass_through": True, "litellm_credential_name": "none"},
    ),
    Bundle(
        "pass-through-vertex",
        "credentials for pass-through endpoints of Vertex AI are kept process-wide",
        {
            "use_in_pass_through": True,
            "custom_llm_provider": "vertex_ai",
            "vertex_project": "p",
            "vertex_location": "l",
        },
    ),
    Bundle(
        "pass-through-vertex-broken",
        "refused for want of a project, after the wildcard was registered",
        {"use_in_pass_through": True, "custom_llm_provider": "vertex_ai"},
        plain=False,
    ),
    Bundle(
        "semantic-router",
        "the auto router: a registry by name, refused where its library is missing",
        {
            "auto_router_config": '{"routes":[]}',
            "auto_router_default_model": ROUTED_MODEL,
            "auto_router_embedding_model": "text-embedding-3-small",
        },
        target="auto_router/semantic",
        plain=False,
    ),
    Bundle(
        "semantic-router-broken",
        "refused for want of a configuration, after the wildcard was registered",
        target="auto_router/semantic",
        plain=False,
    ),
    Bundle(
        "complexity-router",
        "a registry by name that refuses a second of the same name",
        {"complexity_router_config": {"tiers": {"SIMPLE": ROUTED_MODEL, "MEDIUM": ROUTED_MODEL}}},
        target="auto_router/complexity_router",
        plain=False,
    ),
    Bundle(
        "complexity-router-adaptive",
        "is also in the registry of adaptive routers, by a later pass",
        {"complexity_router_config": {"tiers": {"SIMPLE": ROUTED_MODEL, "MEDIUM": ROUTED_MODEL}, "adaptive": True}},
        target="auto_router/complexity_router",
        since=(1, 94, 0),
        plain=False,
    ),
    Bundle(
        "complexity-router-tagged",
        "several of one name are told apart by their tags",
        {"complexity_router_config": {"tiers": {"SIMPLE": ROUTED_MODEL, "MEDIUM": ROUTED_MODEL}}, "tags": ["blue"]},
        target="auto_router/complexity_router",
        since=(1, 94, 0),
        plain=False,
    ),
    Bundle(
        "complexity-router-broken",
        "refused for want of a configuration, after the wildcard was registered",
        target="auto_router/complexity_router",
        plain=False,
    ),
    Bundle(
        "quality-router",
        "a registry by name that refuses a second of the same name",
        {"quality_router_config": {"available_models": [], "default_model": ROUTED_MODEL}},
        target="auto_router/quality_router",
        plain=False,
    ),
    Bundle(
        "quality-router-broken",
        "refused for want of a configuration, after the wildcard was registered",
        target="auto_router/quality_router",
        plain=False,
    ),
    Bundle(
        "adaptive-router",
        "registered by a pass after all rows are in, which updates run only from 1.95.0 on",
        {"adaptive_router_config": {"available_models": [ROUTED_MODEL]}},
        target="auto_router/adaptive_router",
        plain=False,
    ),
    Bundle(
        "adaptive-router-broken",
        "refused for want of a configuration, by the pass after all rows are in",
        target="auto_router/adaptive_router",
        plain=False,
    ),
    Bundle(
        "access-window",
        "reserved for another team, at every hour",
        model_info={"access_windows": _ALWAYS},
        since=(1, 104, 0),
        plain=False,
    ),
    Bundle(
        "capacity-share",
        "reserved for the teams that hold a share of its capacity",
        model_info={
            "ptu_count": 1,
            "cost_per_ptu_per_hour": 1.0,
            "ptu_effective_from": "2020-01-01T00:00:00Z",
            "ptu_shares": {"nobody": 1},
        },
        since=(1, 108, 0),
        plain=False,
    ),
    Bundle(
        "group-tag-filter",
        "switches tag routing on for its model group, on the async path",
        {"tags": ["blue"]},
        {"enable_tag_filtering": True},
        since=(1, 98, 0),
        plain=False,
    ),
)


def parse_version(text: str) -> Version:
    """Read a release number; what follows the third number does not matter here."""
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    if match is None:
        raise ValueError(f"`{text}` is no release of LiteLLM; install one such as 1.109.1")
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch


def refusal(version: Version) -> str | None:
    """Say why this release is not driven, before any of its code is run; `None` where it is."""
    text = ".".join(map(str, version))
    patches = _COMPROMISED.get(version[:2], ())
    if patches is None or version[2] in patches:
        return f"litellm {text} is refused: it was reported as compromised; remove it and install another release"
    if version < OLDEST:
        return f"litellm {text} is too old; install 1.85.0 or newer"
    return None


def semantics(version: Version) -> str | None:
    """Name the preset that a fresh router of this release follows; `None` where the release is newer than any known."""
    if version > parse_version(NEWEST_WITH_PRESET):
        return None
    return next(name for since, name in _SEMANTICS if since <= version)


_PARAMS = MappingProxyType({"model": "model", "tag": "api_key", "weight": "weight"})
_INFO = MappingProxyType(
    {"id": "id", "blocked": "blocked", "team": "team_id", "team_model_name": "team_public_model_name"}
)


def parts(fields: Mapping[str, Any]) -> tuple[Json, Json]:
    """Say fields of a row in LiteLLM's words: its parameters and its model info, without those that are `None`."""
    params, info = (
        {theirs: fields[ours] for ours, theirs in words.items() if fields.get(ours) is not None}
        for words in (_PARAMS, _INFO)
    )
    return params, info


def fields(params: Mapping[str, Any], info: Mapping[str, Any]) -> Json:
    """Say parameters and model info of LiteLLM as fields of a row: the inverse of `parts`."""
    return {
        ours: found[theirs]
        for found, words in ((params, _PARAMS), (info, _INFO))
        for ours, theirs in words.items()
        if found.get(theirs) is not None
    }


_ROWS = (Upsert, Add, Replace)


class Dialect:
    """The dialect of one release, and how its router is constructed."""

    def __init__(self, release: str, *, ignore_invalid: bool = False) -> None:
        """Take the release as the package metadata names it; with `ignore_invalid` as the proxy constructs a router."""
        self.release = release
        self.ignore_invalid = ignore_invalid
        self.version = parse_version(release)
        self.bundles = {bundle.name: bundle for bundle in BUNDLES if bundle.since <= self.version}

    def hello(self, paths: tuple[str, ...], lacks: frozenset[str], *, fresh_process: bool = False) -> Json:
        """Introduce a router that can be asked on these code paths, and lacks these capabilities."""
        return {
            "protocol": PROTOCOL_VERSION,
            # The proxy's router has a name of its own: it takes what the plain one refuses, and the documented issues
            # of the plain one need not be its own.
            "router": "litellm-proxy" if self.ignore_invalid else "litellm",
            "version": self.release,
            "capabilities": [word for word in CAPABILITIES if word not in lacks],
            "dialect": {
                "semantics": semantics(self.version),
                "paths": list(paths),
                "extras": [bundle.extra() for bundle in self.bundles.values()],
                "fresh_process": fresh_process,
                "target_prefixes": list(TARGET_PREFIXES),
                "structures": STRUCTURES,
            },
        }

    def check(self, run: Run) -> None:
        """Refuse a run that asks for what this release does not have."""
        changed = (
            step.rows if isinstance(step, Replace) else [step.row] for step in run.steps if isinstance(step, _ROWS)
        )
        for row in (row for rows in (run.rows, *changed) for row in rows):
            self.check_extra(row.extra)

    def check_extra(self, name: str | None) -> None:
        """Refuse a bundle that this release does not have."""
        if name is not None and name not in self.bundles:
            raise WireError("bad_request", f"litellm {self.release} has no extra `{name}`; see its `hello`")

    def deployment(self, row: Row) -> tuple[Json, Json]:
        """Say a row in LiteLLM's words: its parameters and its model info."""
        params, info = parts(row._asdict())
        info["db_model"] = True
        if row.extra is not None:
            bundle = self.bundles[row.extra]
            # Copies: the router changes some of these values in place.
            params.update(deepcopy(dict(bundle.litellm_params)))
            info.update(deepcopy(dict(bundle.model_info)))
        return params, info
