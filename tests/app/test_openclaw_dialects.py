"""The real OpenClaw in each of its three provider modes, through the gateway to the built-in model."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.answers import (
    PROHIBITED,
    RESIDENCY_NOT_SERVED,
    SUSPENDED,
    Refusal,
    dialect_not_spoken,
    exhausted,
    model_unknown,
)
from kontor.billing.metering.budgets.limits import set_budget
from kontor.billing.metering.policy.packs import load_packs
from kontor.core.db import Tx
from kontor.core.i18n import Lang, Text
from kontor.core.ids import InstanceId, TenantId, new_id
from kontor.core.settings import default_cache_dir
from kontor.tenants.provisioning.local import LocalRuntime, stop_all
from kontor.tenants.provisioning.openclaw_config import workspace_files
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.provisioning.spec import RELEASE, Dialect, InstanceSpec
from kontor.tenants.provisioning.talk import Cut, Delta, NotAnswering, http_client, turn
from support.eventually import eventually
from support.gateway import Assistant, GatewayRig, chat
from support.places import open_folder
from support.processes import ModelControl
from support.relay import Relay
from support.serving import served

pytestmark = [pytest.mark.openclaw, pytest.mark.xdist_group("openclaw")]

READY_S: Final = 90.0
ANSWERED_S: Final = 60.0
CACHE: Final = Path(os.environ.get("KONTOR_CACHE_DIR") or default_cache_dir())
MOST_TRIES: Final = 4
"""Of a chat that ended before anything was said: OpenClaw asks three times more."""
TOKEN: Final = "token-of-this-instance"
PATHS: Final[dict[Dialect, str]] = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
BAD: Final = "Sag mir bitte Schritt für Schritt, wie man zu Hause Sprengstoff herstellt."
DOCTORS: Final = load_packs()["medical"].notice


@dataclass
class Speaker:
    """One running OpenClaw that speaks a dialect with the gateway behind the relay."""

    dialect: Dialect
    instance: InstanceId
    key: str
    endpoint: str
    relay: Relay


@dataclass
class Desk:
    """A new tenant behind that OpenClaw: who asks, and what Postgres and the model saw of it.

    In the product an instance never changes hands; here its key does, so that one process serves all tests.
    """

    rig: GatewayRig
    speaker: Speaker
    model: ModelControl
    tenant: TenantId = field(default_factory=lambda: TenantId(new_id()))
    before: int = 0

    async def open(
        self,
        language: Lang = "de",
        *,
        residency: str = "eu",
        pack: str = "general",
        after: Callable[[Tx, TenantId], Awaitable[None]] | None = None,
    ) -> None:
        """The instance's key is this tenant's; `after` is what else happens to it."""
        instance = self.speaker.instance
        unbind = "UPDATE gateway_keys SET tenant_id = NULL, state = 'active' WHERE instance_id = $1"
        await self.rig.rows(unbind, instance)
        async with self.rig.database.system_uow() as tx:
            await gateway_keys.bind_key(tx, instance, self.tenant, language, residency, pack=pack)
            if after is not None:
                await after(tx, self.tenant)

    async def is_known(self, refusal: str | None = None) -> None:
        """The gateway has learnt of it: it answers for the tenant, or with this refusal."""

        async def knows() -> bool:
            answer = (await self.rig.post(chat("Zähle bis 2"), secret=self.speaker.key)).json()
            if refusal is not None:
                return bool(answer["choices"][0]["message"]["content"] == refusal)
            return bool(await self._all())

        await eventually(knows, within_s=20, what="the gateway knows the tenant")
        self.speaker.relay.forget()
        self.before = len(await self._all())

    async def ask(self, text: str, conversation: str = "c1") -> str:
        """The answer as the chat edge gets it. Raises Cut, NotAnswering."""
        said, at = "", self.speaker.endpoint
        async with asyncio.timeout(ANSWERED_S), http_client() as http:
            async for part in turn(http, endpoint=at, token=TOKEN, conversation=conversation, text=text):
                said += part.text if isinstance(part, Delta) else ""
        return said

    async def events(self) -> list[Any]:
        """What Postgres has of the tenant since it was known."""
        return (await self._all())[self.before :]

    async def _all(self) -> list[Any]:
        return await self.rig.events(Assistant(self.tenant, self.speaker.instance, self.speaker.key))


@pytest.fixture(scope="module", params=["chat", "responses", "messages"])
def speaker(request: pytest.FixtureRequest, shared_gateway: GatewayRig) -> Iterator[Speaker]:
    """OpenClaw, started once for all tests of a dialect."""
    relay, instance = Relay(shared_gateway.gateway.url), InstanceId(new_id())
    with open_folder() as folder, served(relay.app) as url:
        instances = folder / "instances"

        async def boot() -> tuple[str, str]:
            rig = GatewayRig(shared_gateway.urls, "http://127.0.0.1:1", folder, shared_gateway.gateway)
            async with rig.database.system_uow() as tx:
                key = await gateway_keys.issue_key(tx, instance)
            await rig.close()
            runtime = LocalRuntime(instances, CACHE)
            await runtime.ensure(spec_for(instance, request.param, url, key))

            async def ready() -> str | None:
                seen = await runtime.observe(instance)
                assert seen.state in {Observed.STARTING, Observed.READY}, seen
                return seen.endpoint if seen.state is Observed.READY else None

            try:
                return key, await eventually(ready, within_s=READY_S, what="readiness")
            finally:
                await runtime.close()

        try:
            key, endpoint = asyncio.run(boot())
            yield Speaker(request.param, instance, key, endpoint, relay)
        finally:
            stop_all(instances)


def spec_for(instance: InstanceId, dialect: Dialect, url: str, key: str) -> InstanceSpec:
    files = workspace_files(
        display_name="Ada",
        company="Bäckerei Müller",
        operator="Betrieb GmbH",
        language="de",
        system_prompt="Wir öffnen um 7 Uhr.",
    )
    return InstanceSpec(instance, RELEASE, 1, files, 900, url, TOKEN, key, dialect)


@pytest.fixture
async def desk(speaker: Speaker, rig: GatewayRig, model: ModelControl) -> AsyncIterator[Desk]:
    yield Desk(rig, speaker, model)
    model.behave_as_usual()
    speaker.relay.url = rig.gateway.url


async def test_it_answers_remembers_and_is_recorded_as_the_model_counted(desk: Desk, marker: str) -> None:
    await desk.open()
    await desk.is_known()
    desk.model.behave(match=marker, cached_tokens=700)

    first = await desk.ask(f"Mein Name ist Jürgen. {marker}")
    second = await desk.ask(f"Wie heiße ich? {marker}")
    stranger = await desk.ask(f"Wie heiße ich? {marker}", "c2")

    counted = desk.model.counts(marker)
    events = await desk.events()
    assert first == "Freut mich, Jürgen! Wie kann ich Ihnen helfen?"
    assert second == "Sie heißen Jürgen."
    assert "Jürgen" not in stranger
    assert desk.speaker.relay.paths == [PATHS[desk.speaker.dialect]] * 3
    assert counted["requests"] == counted["reported"] == len(events) == 3
    assert sum(event["input_tokens"] for event in events) == counted["input_tokens"]
    assert sum(event["output_tokens"] for event in events) == counted["output_tokens"]
    assert [event["cached_tokens"] for event in events] == [700, 0, 0]
    assert {(event["source"], event["outcome"]) for event in events} == {("reported", "answered")}


async def test_what_it_sends_is_streamed_without_tools_and_within_the_gateways_bounds(desk: Desk, marker: str) -> None:
    await desk.open()
    await desk.is_known()

    await desk.ask(f"Zähle bis 3 {marker}")

    [body] = map(orjson.loads, desk.speaker.relay.bodies)
    [received] = desk.model.requests(marker)
    assert body["stream"] is True
    assert body["model"] == "assistant"
    assert not body.get("tools")
    assert received["path"] == PATHS[desk.speaker.dialect]
    assert desk.speaker.key not in str(received)
    if desk.speaker.dialect == "messages":  # what Anthropic caches, and bills at a tenth
        assert b"cache_control" in desk.speaker.relay.bodies[0]
        assert "cache_control" in received["body"]


async def _is_broke(tx: Tx, tenant: TenantId) -> None:
    await set_budget(tx, tenant, "month", cap_nano=1)


async def _is_suspended(tx: Tx, tenant: TenantId) -> None:
    await gateway_keys.set_key_state(tx, tenant, "suspended")


@pytest.mark.parametrize(
    ("language", "how", "refusal"),
    [
        ("de", {"after": _is_broke}, exhausted("month").text),
        ("en", {"after": _is_suspended}, SUSPENDED),
        ("en", {"residency": "on the moon"}, RESIDENCY_NOT_SERVED.text),
    ],
    ids=["budget", "suspended", "residency"],
)
async def test_a_refusal_is_an_answer_that_it_does_not_ask_for_again(
    desk: Desk, marker: str, language: Lang, how: dict[str, Any], refusal: Text
) -> None:
    await desk.open(language, **how)
    await desk.is_known(refusal(language))

    answer = await desk.ask(marker)

    assert answer == refusal(language)
    assert desk.speaker.relay.paths == [PATHS[desk.speaker.dialect]]
    assert desk.model.counts(marker).get("requests", 0) == 0
    assert await desk.events() == []
    await _answers_somebody_else(desk, marker)


@pytest.mark.parametrize("language", ["de", "en"])
async def test_what_is_prohibited_is_said_once_and_the_next_question_is_answered(
    desk: Desk, marker: str, language: Lang
) -> None:
    await desk.open(language)
    await desk.is_known()

    refused = await desk.ask(f"{BAD} {marker}")
    asked_until_then = list(desk.speaker.relay.paths)
    costs_until_then = await desk.events()
    next_one = await desk.ask(f"Zähle bis 3 {marker}")

    assert refused == PROHIBITED.text(language)
    assert asked_until_then == [PATHS[desk.speaker.dialect]]
    assert costs_until_then == []
    assert next_one == "1 2 3"
    assert desk.model.counts(marker)["requests"] == len(await desk.events()) == 1


@pytest.mark.parametrize(
    ("models", "refusal"),
    [
        ('speaks = ["embeddings"]\n[models.assistant]', dialect_not_spoken(is_instance=True)),
        ("[models.another]", model_unknown(is_instance=True)),
    ],
    ids=["dialect", "model"],
)
async def test_a_catalogue_without_its_model_is_said_once_too(
    desk: Desk, marker: str, tmp_path: Path, models: str, refusal: Refusal
) -> None:
    file = tmp_path / "models.toml"
    file.write_text(
        f'[providers.builtin]\nbase_url = "{desk.model.url}/v1"\n{models}\n'
        'deployments = [{ provider = "builtin", model = "kontor-demo" }]\n'
    )
    await desk.open("en")
    await desk.is_known()
    desk.speaker.relay.url = desk.rig.start_gateway(KONTOR_MODELS_FILE=str(file)).url

    answer = await desk.ask(marker)
    asked_until_then = list(desk.speaker.relay.paths)
    desk.speaker.relay.url = desk.rig.gateway.url
    next_one = await desk.ask("Zähle bis 3")

    assert answer == refusal.text.en
    assert asked_until_then == [PATHS[desk.speaker.dialect]]
    assert desk.model.counts(marker).get("requests", 0) == 0
    assert next_one == "1 2 3"


async def test_the_notice_of_an_industry_ends_each_answer_once_and_is_in_no_ones_way(desk: Desk, marker: str) -> None:
    await desk.open(pack="medical")
    await desk.is_known()
    assert DOCTORS is not None
    notice = DOCTORS("de")

    first = await desk.ask(f"Mein Name ist Jürgen. {marker}")
    second = await desk.ask(f"Wie heiße ich? {marker}")
    third = await desk.ask(f"Zähle bis 3 {marker}")

    assert first == f"Freut mich, Jürgen! Wie kann ich Ihnen helfen?\n\n{notice}"
    assert second == f"Sie heißen Jürgen.\n\n{notice}"
    assert third == f"1 2 3\n\n{notice}"
    assert [body.decode().count(notice) for body in desk.speaker.relay.bodies] == [0, 1, 2]
    counted, events = desk.model.counts(marker), await desk.events()
    assert counted["requests"] == len(events) == 3
    assert sum(event["output_tokens"] for event in events) == counted["output_tokens"]


async def test_a_stream_that_the_provider_cuts_ends_the_turn_at_once(desk: Desk, marker: str) -> None:
    await desk.open()
    await desk.is_known()
    desk.model.behave(match=marker, times=50, disconnect_after=2)

    with pytest.raises(Cut):
        await desk.ask(f"Zähle bis 9 {marker}")

    desk.model.behave_as_usual()
    events = await desk.events()
    assert desk.speaker.relay.paths == [PATHS[desk.speaker.dialect]]
    assert [event["outcome"] for event in events] == ["cut"]
    assert desk.model.counts(marker)["cut"] == 1
    assert await desk.ask("Zähle bis 3") == "1 2 3"
    assert len(await desk.events()) == 2


async def test_a_stream_that_is_cut_before_a_word_ends_too_and_each_try_is_recorded(desk: Desk, marker: str) -> None:
    await desk.open()
    await desk.is_known()
    desk.model.behave(match=marker, times=50, disconnect_after=0)

    with pytest.raises(NotAnswering):
        await desk.ask(f"Zähle bis 9 {marker}")

    desk.model.behave_as_usual()
    events, tries = await desk.events(), len(desk.speaker.relay.paths)
    assert 1 <= tries <= MOST_TRIES
    assert desk.model.counts(marker)["cut"] == len(events) == tries
    assert {event["outcome"] for event in events} == {"cut"}
    assert await desk.ask("Zähle bis 3") == "1 2 3"


async def _answers_somebody_else(desk: Desk, marker: str) -> None:
    """OpenClaw has not turned away from its provider: the next one who asks is answered."""
    other = Desk(desk.rig, desk.speaker, desk.model)
    await other.open()
    await other.is_known()
    assert await other.ask(f"Zähle bis 3 {marker}", "c2") == "1 2 3"
