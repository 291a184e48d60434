"""One running registry for the tests of hostile input."""

from collections.abc import Iterator

import pytest

from tests.kit.registry import Registry, running_registry


@pytest.fixture(scope="module")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that all tests of a module share: what one test breaks, the next one sees."""
    with running_registry(tmp_path_factory.mktemp("registry"), workers=2) as started:
        yield started
