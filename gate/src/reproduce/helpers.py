# What the test above is written in: plain calls of litellm.Router.


def row(number, name, model, key, *, weight=None, team=None, team_name=None, blocked=False, params=None, info=None):
    """A deployment. Its key comes back with each answer, and tells which version of it answered."""
    params = {"model": model, "api_key": key, **(params or {})}
    info = {"id": number, "db_model": True, **(info or {})}
    if weight is not None:
        params["weight"] = weight
    if team is not None:
        info["team_id"] = team
    if team_name is not None:
        info["team_public_model_name"] = team_name
    if blocked:
        info["blocked"] = True
    return {"model_name": name, "litellm_params": params, "model_info": info}


def start(rows):
    return Router(model_list=copy.deepcopy(rows), **OPTIONS)


def refuses(rows):
    """Why no router can be started with these rows, or which of them it leaves out; nothing where it takes them all."""
    try:
        held = ids(start(rows))
    except Exception as why:
        return f"{type(why).__name__}: {why}"
    left_out = [one["model_info"]["id"] for one in rows if one["model_info"]["id"] not in held]
    return f"{left_out} left out" if left_out else None


def upsert(router, new):
    return outcome(router, [new], lambda: router.upsert_deployment(Deployment(**copy.deepcopy(new))))


def add(router, new):
    return outcome(router, [new], lambda: router.add_deployment(Deployment(**copy.deepcopy(new))))


def delete(router, number):
    return outcome(router, [], lambda: router.delete_deployment(id=number))


def replace(router, rows):
    return outcome(router, rows, lambda: router.set_model_list(copy.deepcopy(rows)))


def outcome(router, rows, change):
    """`applied` or `refused: ...`: the router may log a refusal and return, so what it holds afterwards decides."""
    try:
        change()
    except Exception as why:
        return f"refused: {type(why).__name__}: {why}"
    held = [router.get_deployment(model_id=one["model_info"]["id"]) for one in rows]
    keys = [one.litellm_params.api_key for one in held if one is not None]
    taken = not rows or any(one["litellm_params"]["api_key"] in keys for one in rows)
    return "applied" if taken else f"refused: the router holds {keys} of what was sent"


def look(router, model, team=None, path="sync"):
    """What many requests are given: `id key -> model` of each deployment, `refused: ...` or `failed: ...`."""

    async def requests():
        return {await request(router, path, model, team) for _ in range(PICKS)}

    return sorted(LOOP.run_until_complete(requests()))


async def request(router, path, model, team):
    try:
        if path == "sync":
            picked = router.get_available_deployment(model=model, **arguments(team))
        else:
            picked = await router.async_get_available_deployment(model=model, **arguments(team))
    except Exception as why:
        return refusal(why)
    return identity(picked)


def offered(router, model, team=None):
    """The deployments that requests are spread over, one entry for each share."""
    listed = router.async_get_healthy_deployments(model=model, **arguments(team))
    found = LOOP.run_until_complete(listed)
    return sorted(identity(one) for one in ([found] if isinstance(found, dict) else found))


def arguments(team):
    metadata = {} if team is None else {"user_api_key_team_id": team}
    return {"messages": [{"role": "user", "content": "hello"}], "request_kwargs": {"metadata": metadata}}


def identity(deployment):
    params = deployment["litellm_params"]
    return f"{deployment['model_info']['id']} {params.get('api_key')} -> {params['model']}"


def refusal(why):
    kind = type(why).__name__
    if kind.startswith(("RouterRateLimitError", "ServiceUnavailableError")) or "reserved for" in str(why):
        return "refused: blocked"
    return "refused: unknown model" if kind == "BadRequestError" else f"failed: {kind}"


def names(router, team=None):
    return sorted(set(router.get_model_names(team_id=team)))


def ids(router):
    return sorted(str(number) for number in router.get_model_ids())


def size(router, structure):
    """The number of entries of a structure that the router derives from its deployments."""
    if structure in OF_THE_PROCESS:
        return len(getattr(litellm, structure)) - OF_THE_PROCESS[structure]
    core = vars(router).get("_core", router)
    found = getattr(core, f"_core_{structure}", None)
    found = getattr(router, structure) if found is None else found
    tables = [found] if structure == "pattern_router" else list(found.values()) if structure in NESTED else None
    if tables is not None and structure.endswith(("pattern_router", "pattern_routers")):
        return sum(len(rows) for table in tables for rows in table.patterns.values())
    if tables is not None:
        return sum(len(entry) if isinstance(entry, list) else 1 for entry in tables)
    return len(found)


NESTED = (
    "team_pattern_routers",
    "model_name_to_deployment_indices",
    "team_model_to_deployment_indices",
    "auto_routers",
    "complexity_routers",
    "quality_routers",
    "adaptive_routers",
)
OF_THE_PROCESS = {name: len(getattr(litellm, name)) for name in ("callbacks", "model_cost")}
LOOP = asyncio.new_event_loop()
PICKS = 200  # a stale half of the candidates does not hide from that many

if __name__ == "__main__":
    TEST()
