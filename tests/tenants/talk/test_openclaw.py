"""The same turns with the real OpenClaw and the built-in model behind it."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kontor.app.model.server import application
from kontor.core.audit import Actor
from kontor.core.db import Database
from kontor.core.ids import InstanceId, PersonId, new_id
from kontor.core.settings import default_cache_dir
from kontor.tenants.provisioning.local import LocalRuntime, stop_all
from kontor.tenants.provisioning.openclaw_config import workspace_files
from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.provisioning.spec import RELEASE, InstanceSpec
from kontor.tenants.talk.ask import Said
from kontor.tenants.talk.handover import hand_back, reply
from support.eventually import eventually
from support.places import open_folder
from support.processes import CONTROL_TOKEN, ModelControl
from support.serving import served
from support.talking import TOKEN, ScriptedInstance, Talk

pytestmark = [pytest.mark.openclaw, pytest.mark.xdist_group("openclaw")]

READY_S = 90.0
CACHE = Path(os.environ.get("KONTOR_CACHE_DIR") or default_cache_dir())
COLLEAGUE = Actor("person", "prs_colleague")


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    with served(application(CONTROL_TOKEN)) as url:
        yield url


@pytest.fixture(scope="module")
def assistant_url(model_url: str) -> Iterator[str]:
    """OpenClaw, which all tests here talk to in conversations of their own."""
    with open_folder() as folder:
        try:
            yield asyncio.run(_started(folder / "instances", _spec(model_url)))
        finally:
            stop_all(folder / "instances")


@pytest.fixture
async def talk(database: Database, assistant_url: str) -> AsyncIterator[Talk]:
    """A tenant whose assistant it is."""
    made = await Talk(database, ScriptedInstance(), assistant_url).open()
    yield made
    await made.close()


async def test_the_assistant_remembers_is_silent_for_a_human_and_learns_what_was_said(
    talk: Talk, model_url: str
) -> None:
    model = ModelControl(model_url)
    first = await talk.say("Guten Tag, mein Name ist Jürgen.")
    second = await talk.say("Wie heiße ich?")
    stranger = await talk.say("Wie heiße ich?", user="kunde-2")
    asked_before = model.counts()["requests"]

    await talk.say("MENSCH")
    await talk.say("Geheiratet: mein Name ist Zoë.")
    assert first.conversation is not None
    async with talk.database.uow(talk.tenant) as tx:
        await reply(
            tx, talk.tenant, first.conversation, "Notiert, alles Gute!", person=PersonId(new_id()), by=COLLEAGUE
        )
        await hand_back(tx, talk.tenant, first.conversation, by=COLLEAGUE)
    asked_meanwhile = model.counts()["requests"]
    after = await talk.say("Danke.")
    later = await talk.say("Wie heiße ich?")

    assert first.text.startswith("Sie kommunizieren mit einem KI-gestützten Assistenten")
    assert first.ended is not None
    assert first.ended.used is not None
    assert first.ended.used.input_tokens > 0
    assert "Jürgen" in second.text
    assert "Jürgen" not in stranger.text
    assert asked_meanwhile == asked_before
    assert after.text
    assert "Zoë" in later.text


async def test_hanging_up_in_the_middle_leaves_the_assistant_able_to_answer(talk: Talk, model_url: str) -> None:
    ModelControl(model_url).behave(match="Geschichte", chunk_delay_ms=100, answer="Es war einmal. " * 40)
    turn = talk.turn("Bitte erzähle mir eine lange Geschichte.")
    async with aclosing(turn.pieces()) as pieces:
        async for piece in pieces:
            if isinstance(piece, Said):
                break

    again = await talk.say("Guten Tag")

    stored = await talk.messages(turn.conversation)
    assert [one.outcome for one in stored] == ["cut", "cut", "complete", "complete"]
    assert again.text


async def _started(instances: Path, spec: InstanceSpec) -> str:
    runtime = LocalRuntime(instances, CACHE)

    async def endpoint() -> str | None:
        seen = await runtime.observe(spec.instance)
        return seen.endpoint if seen.state is Observed.READY else None

    try:
        await runtime.ensure(spec)
        return await eventually(endpoint, within_s=READY_S, what="the assistant is ready")
    finally:
        await runtime.close()


def _spec(model_url: str) -> InstanceSpec:
    return InstanceSpec(
        instance=InstanceId(new_id()),
        release=RELEASE,
        revision=1,
        files=workspace_files(
            display_name="Ada",
            company="Bäckerei Müller",
            operator="Betrieb GmbH",
            language="de",
            system_prompt="Wir öffnen um 7 Uhr.",
        ),
        memory_mb=900,
        gateway_url=model_url,
        token=TOKEN,
        gateway_key="kgw_of-this-instance",
    )
