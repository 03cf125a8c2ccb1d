"""Fixtures that the tests share: LiteLLM in this process, where it is installed."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import pytest

from routeproof_litellm.dialect import ENVIRONMENT, Dialect

if TYPE_CHECKING:
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


def _router(dialect: Dialect) -> LiteLlm:
    from routeproof_litellm.router import LiteLlm  # noqa: PLC0415  after the environment is set

    os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_ENVIRONMENT=ENVIRONMENT)
    return LiteLlm(dialect)
