"""A machine on which one thing after the other is broken: the customer reads why, and a retry works once it is not."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kontor.core.settings import default_cache_dir
from kontor.tenants.lifecycle.retry import retry_provisioning
from kontor.tenants.lifecycle.view import AssistantView
from kontor.tenants.provisioning import plan
from kontor.tenants.provisioning.local import LocalRuntime, stop_all
from kontor.tenants.provisioning.local.record import Place
from kontor.tenants.states import Phase
from support.eventually import eventually
from support.fleet import Fleet
from support.places import open_folder
from support.pretended import pretended_openclaw

pytestmark = [pytest.mark.openclaw, pytest.mark.xdist_group("openclaw")]
CACHE = Path(os.environ.get("KONTOR_CACHE_DIR") or default_cache_dir())
WITHIN_S = 120.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made
        stop_all(made / "instances")


def ends(code: int, message: str) -> str:
    """A program that says this in its log and ends."""
    line = f'{{"message":"{message}","time":"2099-01-01T00:00:00.000+00:00","_meta":{{"logLevelName":"ERROR"}}}}'
    return f"echo '{line}' > $HOME/openclaw.log; exit {code}"


async def test_whatever_is_broken_the_state_says_why_and_a_retry_works_once_it_is_repaired(
    fleet: Fleet, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    taken = pretended_openclaw(folder / "taken", ends(1, "Gateway failed to start: listen EADDRINUSE: address in use"))
    refusing = pretended_openclaw(folder / "refusing", ends(78, "Gateway failed to start: Invalid config: nonsense"))
    tenant = await fleet.tenant()

    async def fails_on(cache: Path) -> AssistantView:
        fleet.runtime = LocalRuntime(folder / "instances", cache)  # type: ignore[assignment]
        fleet.reconciler = fleet.another()

        async def given_up() -> AssistantView | None:
            fleet.clock.advance(plan.LONGEST_PAUSE)
            await fleet.reconcile()
            view = await fleet.view(tenant)
            return view if view.phase is Phase.FAILED else None

        view = await eventually(given_up, within_s=WITHIN_S)
        await fleet.runtime.close()
        await fleet.operator(retry_provisioning, tenant)
        return view

    seen = [await fails_on(folder / "empty"), await fails_on(taken), await fails_on(refusing)]
    with monkeypatch.context() as broken:
        broken.setattr(Place, "write", full)
        seen.append(await fails_on(CACHE))

    assert [view.failure_code for view in seen] == ["install_missing", "port_taken", "exit_78", "disk_full"]
    assert all(view.failure and view.can_retry for view in seen)

    fleet.runtime = LocalRuntime(folder / "instances", CACHE)  # type: ignore[assignment]
    fleet.reconciler = fleet.another()

    async def serves() -> bool:
        await fleet.reconcile()
        return (await fleet.view(tenant)).is_serving

    await eventually(serves, within_s=WITHIN_S)
    view = await fleet.view(tenant)
    assert (view.phase, view.failure) == (Phase.READY, None)
    assert len(await fleet.keys()) == 1
    assert len(list((folder / "instances").glob("[!.]*"))) == 1
