"""The caches of fixtures that several tests share."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def caches_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use the same directories for caches and datasets as the tests do.

    The fixtures of a module need this, because pytest makes them before `own_caches` sets the directories for a test.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ("cache", "data"):
            patch.setenv(f"GANEXP_{name.upper()}", str(tmp_path_factory.getbasetemp() / name))
        yield
