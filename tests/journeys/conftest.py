"""One `kontor up` for all tests of this folder: it is left as it was found, and ends with nothing left."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kontor.app.journey.customer import Customer
from support.eventually import eventually_sync
from support.places import open_folder
from support.stack import Stack

WELL_WITHIN_S = 120.0


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product, from `kontor up` to Ctrl-C."""
    with open_folder() as folder:
        made = Stack(folder, tmp_path_factory.mktemp("up") / "output")
        try:
            made.start()
            yield made
            assert made.interrupt() == 0
            assert made.processes() == []
        finally:
            made.clear()


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    """All of it works, before and after the test."""
    eventually_sync(running.is_well, within_s=WELL_WITHIN_S, what="everything works")
    yield running
    eventually_sync(running.is_well, within_s=WELL_WITHIN_S, what="everything works again")


@pytest.fixture
async def customer(stack: Stack) -> AsyncIterator[Customer]:
    """Somebody new, with a browser, a program and a mailbox."""
    async with Customer(stack.url, stack.outbox_url, "de") as made:
        yield made


@pytest.fixture
def folder(stack: Stack) -> Path:
    """Where the product keeps everything."""
    return stack.state
