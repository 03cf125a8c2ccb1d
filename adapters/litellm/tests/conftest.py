"""Fixtures that the tests share: LiteLLM in this process, where it is installed."""

from __future__ import annotations

import importlib.util
import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import pytest

from routeproof_litellm.dialect import ENVIRONMENT, Dialect, parse_version
from tests.fleet_talk import Talk
from tests.talk import adapter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routeproof_litellm.router import LiteLlm


def release() -> str:
    """Name the LiteLLM beside the tests, or skip the test that needs one."""
    try:
        return version("litellm")
    except PackageNotFoundError:
        pytest.skip("there is no litellm in this environment")


@pytest.fixture(scope="session")
def dialect() -> Dialect:
    """Make the dialect of the LiteLLM beside the tests."""
    return Dialect(release())


@pytest.fixture(scope="session")
def router(dialect: Dialect) -> LiteLlm:
    """Drive a router that LiteLLM's own default constructs, which refuses a deployment that it cannot take."""
    return _router(dialect)


@pytest.fixture(scope="session")
def swallowing() -> LiteLlm:
    """Drive a router that LiteLLM's proxy constructs, which swallows a deployment that it cannot take."""
    return _router(Dialect(release(), ignore_invalid=True))


@pytest.fixture(scope="session")
def fleet() -> Iterator[Talk]:
    """Talk with a fleet of the LiteLLM beside the tests, where its proxy is installed."""
    release()
    if importlib.util.find_spec("fastapi") is None:
        pytest.skip("the proxy is not installed in this environment")
    with adapter("--fleet") as process:
        yield Talk(process)


@pytest.fixture(scope="session")
def has_lock() -> bool:
    """Return true if the reconciles of one replica wait for each other."""
    return parse_version(release()) >= (1, 98, 0)


def _router(dialect: Dialect) -> LiteLlm:
    from routeproof_litellm.router import LiteLlm  # noqa: PLC0415  after the environment is set

    os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_ENVIRONMENT=ENVIRONMENT)
    return LiteLlm(dialect)
