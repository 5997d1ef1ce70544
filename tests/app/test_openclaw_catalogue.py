"""An operator's catalogue decides in which dialect assistants ask; a running one follows when it changes."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psutil
import pytest

from kontor.app.adapters import MeteredKeys
from kontor.app.assistant_dialects import AssistantDialects, follow
from kontor.app.providers import catalogue_of
from kontor.billing.plans import load as load_plans
from kontor.core.ids import TenantId
from kontor.core.settings import default_cache_dir
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.lifecycle.view import assistant_view
from kontor.tenants.provisioning.blueprint import Blueprint
from kontor.tenants.provisioning.local import LocalRuntime, stop_all
from kontor.tenants.provisioning.pool import Making
from kontor.tenants.provisioning.reconcile import Reconciler
from kontor.tenants.provisioning.spec import RELEASE
from kontor.tenants.provisioning.talk import Delta, http_client, turn
from kontor.tenants.provisioning.target import target
from kontor.tenants.sellers import load_sellers
from support.databases import MASTER_KEY
from support.eventually import eventually
from support.gateway import GatewayRig
from support.places import open_folder
from support.processes import ModelControl
from support.tenants import a_tenant
from support.web import settings_for

pytestmark = [pytest.mark.openclaw, pytest.mark.xdist_group("openclaw")]

READY_S: Final = 120.0
CACHE: Final = Path(os.environ.get("KONTOR_CACHE_DIR") or default_cache_dir())


@dataclass
class Operator:
    """Whoever writes the catalogue's file, and asks the tenant's assistant what came of it."""

    rig: GatewayRig
    model: ModelControl
    file: Path
    instances: Path
    tenant: TenantId | None = None

    def offers(self, *speaks: str) -> None:
        """The only deployment speaks these."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(
            f'[providers.builtin]\nbase_url = "{self.model.url}/v1"\nspeaks = {list(speaks)}\n'
            '[models.assistant]\ndeployments = [{ provider = "builtin", model = "kontor-demo" }]\n'
        )
        draft.rename(self.file)

    async def sign_up(self) -> None:
        """A tenant has an assistant that answers."""
        self.tenant = tenant = await a_tenant(self.rig.database, active=True)

        async def serves() -> bool:
            async with self.rig.database.uow(tenant) as tx:
                return (await assistant_view(tx, tenant)).is_serving

        await eventually(serves, within_s=READY_S, what="the assistant answers")

    async def ask(self, text: str) -> str:
        assert self.tenant is not None
        async with self.rig.database.uow(self.tenant) as tx:
            there = await target(tx, self.tenant)
        assert there.endpoint is not None
        assert there.token is not None
        async with http_client() as http:
            parts = turn(http, endpoint=there.endpoint, token=there.token, conversation="c1", text=text)
            return "".join([part.text async for part in parts if isinstance(part, Delta)])

    def paths(self, marker: str) -> list[str]:
        """Where the provider was asked."""
        return [request["path"] for request in self.model.requests(marker)]

    def process(self) -> psutil.Process:
        [found] = [
            process
            for process in psutil.process_iter(["environ"])
            if (process.info["environ"] or {}).get("OPENCLAW_STATE_DIR", "").startswith(str(self.instances))
        ]
        return found


@pytest.fixture
async def operator(own_rig: GatewayRig, model: ModelControl, tmp_path: Path) -> AsyncIterator[Operator]:
    """Gateway and worker run on the operator's file, which offers Anthropic's dialect alone."""
    with open_folder() as folder:
        made = Operator(own_rig, model, tmp_path / "models.toml", folder / "instances")
        made.offers("messages")
        own_rig.gateway = own_rig.start_gateway(KONTOR_MODELS_FILE=str(made.file))
        settings = settings_for(own_rig.urls, tmp_path, MASTER_KEY).model_copy(update={"models_file": made.file})
        dialects = AssistantDialects(catalogue_of(settings, packaged()), packaged())
        runtime, database = LocalRuntime(made.instances, CACHE), own_rig.database
        worker = Reconciler(
            database,
            runtime,
            MeteredKeys(load_plans(), packaged()),
            Blueprint(database, load_sellers("http://kontor.example"), own_rig.gateway.url),
            Making("test", RELEASE, 900, 0),
            dialects=dialects,
        )
        beside = [asyncio.create_task(follow(settings, dialects)), asyncio.create_task(worker.run())]
        try:
            yield made
        finally:
            worker.stop()
            beside[0].cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await runtime.close()
            await asyncio.to_thread(stop_all, made.instances)


async def test_an_assistant_runs_on_a_provider_of_anthropics_dialect_and_follows_to_another(
    operator: Operator, marker: str
) -> None:
    await operator.sign_up()
    first = await operator.ask(f"Mein Name ist Jürgen. {marker}")
    before, numbers = operator.process().pid, count()

    operator.offers("responses")

    async def has_followed() -> str | None:
        this = f"{marker}-{next(numbers)}"
        said = await operator.ask(f"Wie heiße ich? {this}")
        return said if operator.paths(this) == ["/v1/responses"] else None

    remembered = await eventually(has_followed, within_s=60, what="it asks in the other dialect")
    assert first == "Freut mich, Jürgen! Wie kann ich Ihnen helfen?"
    assert operator.paths(marker)[0] == "/v1/messages"
    assert remembered == "Sie heißen Jürgen."
    assert operator.process().pid == before
