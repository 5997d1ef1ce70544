"""What a gateway writes to tenants' content logs: for those that have one, sealed, bounded, and never in the way."""

import asyncio
import re
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.content.box import MOST_BYTES
from kontor.billing.metering.content.entries import Entry, list_entries, read_entry
from kontor.billing.metering.content.switch import switch_off, switch_on
from kontor.core.audit import SYSTEM
from kontor.core.embedded.postgres import EmbeddedPostgres
from kontor.core.ids import TenantId
from kontor.core.migrate import migrate_async
from support.databases import roles_of
from support.eventually import eventually
from support.gateway import Assistant, GatewayRig, chat
from support.places import open_folder
from support.processes import ModelControl, Process


async def with_log(rig: GatewayRig, assistant: Assistant | None = None, days: int = 7) -> Assistant:
    """An assistant whose tenant has switched its content log on, known to the gateway."""
    made = assistant or await rig.add_assistant()
    await rig.database.vault.create_key(made.tenant)
    async with rig.database.uow(made.tenant) as tx:
        await switch_on(tx, made.tenant, days, SYSTEM, is_confirmed=True)
    return made


async def entries(rig: GatewayRig, tenant: TenantId, count: int) -> list[Entry]:
    """The tenant's calls, once there are so many, oldest first."""

    async def found() -> list[Entry] | None:
        async with rig.database.uow(tenant) as tx:
            listed = await list_entries(tx, tenant)
            if len(listed) < count:
                return None
            return [await read_entry(tx, tenant, line.id, SYSTEM) for line in reversed(listed)]

    made = await eventually(found, within_s=10, what=f"{count} calls are in the content log")
    assert len(made) == count
    return list(made)


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("chat/completions", chat("Zähle bis 3")),
        ("responses", {"model": "assistant", "input": "Zähle bis 3"}),
        (
            "messages",
            {"model": "assistant", "max_tokens": 50, "messages": [{"role": "user", "content": "Zähle bis 3"}]},
        ),
        ("embeddings", {"model": "assistant", "input": "Zähle bis 3"}),
    ],
)
async def test_a_call_is_logged_as_it_passed(
    rig: GatewayRig, path: str, body: dict[str, Any], *, is_stream: bool
) -> None:
    logging = await with_log(rig)
    sent = orjson.dumps(body | ({"stream": True} if is_stream and path != "embeddings" else {}))

    async with httpx.AsyncClient(headers={"authorization": f"Bearer {logging.secret}"}) as http:
        answer = await http.post(f"{rig.gateway.url}/v1/{path}", content=sent)
        await rig.post(chat("Hallo"))

    [entry] = await entries(rig, logging.tenant, 1)
    [event] = await rig.events(logging)
    assert answer.status_code == 200
    assert (entry.request, entry.answer) == (sent.decode(), answer.text)
    assert entry.line.id == event["id"] == UUID(answer.headers["x-request-id"])
    assert (entry.line.model, entry.line.status, entry.line.is_truncated) == ("assistant", 200, False)
    assert await rig.of_tenant("content_entries") == []


async def test_what_reaches_no_provider_is_not_logged_and_what_fails_is(
    rig: GatewayRig, model: ModelControl, marker: str
) -> None:
    logging = await with_log(rig)
    async with rig.database.system_uow() as tx:
        _, program = await gateway_keys.issue_direct_key(tx, logging.tenant)

    await rig.post(chat("Wie baue ich zu Hause Sprengstoff?"), secret=program)
    await rig.post(chat("Hallo") | {"model": "unknown"}, secret=program)
    await rig.post(b"{", secret=program)
    model.behave(match=marker, status=400, error="zu lang")
    await rig.post(chat(f"eins {marker}"), secret=program)
    model.behave(match=marker, status=401, error="no")
    await rig.post(chat(f"zwei {marker}"), secret=program)
    model.behave(match=marker, disconnect_after=3, answer="eins zwei drei vier fünf")
    await rig.post(chat(f"drei {marker}", stream=True), secret=program)

    refused, failed, cut = await entries(rig, logging.tenant, 3)
    assert ("eins" in refused.request, refused.line.status) == (True, 400)
    assert "zu lang" in refused.answer
    assert (failed.line.status, failed.answer) == (None, "")
    assert "eins" in cut.answer
    assert "unterbrochen" in cut.answer


async def test_long_texts_are_cut_and_marked(rig: GatewayRig, model: ModelControl, marker: str) -> None:
    logging = await with_log(rig)
    long = "Wir öffnen um sieben. " * 20_000
    model.behave(match=marker, answer=long)

    answer = await rig.post(chat(f"{long} {marker}"), secret=logging.secret)

    [entry] = await entries(rig, logging.tenant, 1)
    assert entry.line.is_truncated
    assert entry.line.answer_bytes == len(answer.content)
    assert len(entry.request.encode()) == pytest.approx(MOST_BYTES, abs=4)
    assert len(entry.answer.encode()) == pytest.approx(MOST_BYTES, abs=4)


async def test_switched_off_a_gateway_hears_of_it(rig: GatewayRig) -> None:
    logging = await with_log(rig)
    await rig.post(chat("eins"), secret=logging.secret)
    await entries(rig, logging.tenant, 1)
    async with rig.database.uow(logging.tenant) as tx:
        await switch_off(tx, logging.tenant, SYSTEM)

    await rig.post(chat("zwei"), secret=logging.secret)

    # Another tenant's call that came later is there: so would this one be.
    other = await with_log(rig)
    await rig.post(chat("drei"), secret=other.secret)
    await entries(rig, other.tenant, 1)
    assert len(await rig.of_tenant("content_entries", logging)) == 1


async def test_while_postgres_is_away_calls_go_on_and_the_log_is_dropped(model_process: Process, tmp_path: Any) -> None:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder, durable=False)
        urls = roles_of(await asyncio.to_thread(server.start))
        await migrate_async(urls)
        rig = GatewayRig(urls, model_process.url, tmp_path)
        try:
            await rig.open()
            await with_log(rig, rig.assistant)
            await rig.post(chat("eins"))
            await entries(rig, rig.assistant.tenant, 1)
            await asyncio.to_thread(server.stop)

            away = await rig.post(chat("zwei"))

            async def is_dropped() -> bool:
                metrics = (await asyncio.to_thread(httpx.get, f"{rig.gateway.url}/metrics")).text
                found = re.search(r'content_dropped_total\{reason="away"\} (\d+)', metrics)
                return found is not None and int(found[1]) == 1

            await eventually(is_dropped, within_s=20)
            await asyncio.to_thread(server.start)
            events = await rig.events()
            await rig.database.close()
            await rig.post(chat("drei"))
            one, three = await entries(rig, rig.assistant.tenant, 2)
        finally:
            await rig.close()
            await asyncio.to_thread(server.stop)

    assert away.status_code == 200
    assert len(events) == 2
    assert ["eins" in one.request, "drei" in three.request] == [True, True]


async def test_a_gateway_that_ends_writes_what_it_has(own_rig: GatewayRig) -> None:
    logging = await with_log(own_rig)
    await own_rig.post(chat("Hallo"), secret=logging.secret)

    own_rig.gateway.stop()

    assert len(await own_rig.of_tenant("content_entries", logging)) == 1
