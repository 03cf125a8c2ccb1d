"""What the tests share: LiteLLM in this process, where there is one."""

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
    """Speak for the LiteLLM beside the tests."""
    return Dialect(release())


@pytest.fixture(scope="session")
def router(dialect: Dialect) -> LiteLlm:
    """Drive it, as its own default makes it."""
    return _router(dialect)


@pytest.fixture(scope="session")
def swallowing() -> LiteLlm:
    """Drive it, as its proxy makes it."""
    return _router(Dialect(release(), ignore_invalid=True))


def _router(dialect: Dialect) -> LiteLlm:
    from routeproof_litellm.router import LiteLlm  # noqa: PLC0415  after the environment is set

    os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_ENVIRONMENT=ENVIRONMENT)
    return LiteLlm(dialect)
