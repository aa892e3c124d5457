"""The suites of the account run on every engine: `test_x[memory]`, `test_x[local]`, `test_x[cas]` …

A module asks for it by `pytestmark = pytest.mark.usefixtures("every_engine")`.  Memory gets every random history; of
what is drawn at random the other engines get a share, as each history costs them seconds.
"""

import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.engines import SITES, STORES
from tests.support.standing_in import standing_in

EXAMPLES = 6
"""Of a property, on an engine that is not memory."""
SEEDS = {"seed", "part"}
"""Parameters that number random histories: the other engines get the first."""

settings.register_profile("engines", settings.get_profile("ci"), max_examples=EXAMPLES)


@pytest.fixture
async def every_engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[None]:
    """What lies where the test believes memory to be."""
    name = getattr(request, "param", "memory")
    if name == "memory":
        yield
        return
    profile = settings.get_current_profile_name()
    settings.load_profile("engines")
    try:
        async with STORES[name](tmp_path) as open_node, standing_in(await open_node()):
            yield
    finally:
        settings.load_profile(profile)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for it, and awaits anything, one run on each engine."""
    function = getattr(metafunc.function, "hypothesis", None)
    is_async = inspect.iscoroutinefunction(function.inner_test if function else metafunc.function)
    if is_async and "every_engine" in metafunc.fixturenames:
        metafunc.parametrize("every_engine", SITES, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the further seeds of engines that are not memory."""
    left_out = [item for item in items if isinstance(item, pytest.Function) and _is_further(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _is_further(item: pytest.Function) -> bool:
    given = item.callspec.params if hasattr(item, "callspec") else {}
    return given.get("every_engine", "memory") != "memory" and any(given.get(name) for name in SEEDS)
