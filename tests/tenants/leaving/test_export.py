"""An export: everything of the tenant in one ZIP, made once at a time, whole or not at all."""

import asyncio
import hashlib
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import select

from kontor.app.adapters import RecordedUsage
from kontor.core.audit import AuditEntry
from kontor.core.clock import FixedClock
from kontor.core.crypto import KeyDestroyed
from kontor.core.db import Database
from kontor.core.errors import DomainError, NotFound
from kontor.core.ids import InstanceId
from kontor.tenants.leaving.build import MAX_TRIES, ExportBuilder
from kontor.tenants.leaving.export import read_export
from kontor.tenants.leaving.model import ExportState
from kontor.tenants.lifecycle.end import request_erasure
from kontor.tenants.talk.model import Speaker
from support.content_log import logged
from support.exports import Content, Exports, many_messages
from support.fleet import Fleet
from support.mortal import Life
from support.tenants import OWNER

ALWAYS = [
    "README.txt",
    "company.json",
    "members.csv",
    "usage/usage.csv",
    "conversations/openai-chat.json",
    "conversations/openai-chat.jsonl",
    "conversations/messages.csv",
    "configuration/openclaw.json",
    "configuration/assistant.json",
    "prompts/system-prompt.md",
]


async def test_an_export_of_a_company_that_did_nothing_has_every_file(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.company()

    content = await exports.content(tenant)

    assert content.names() == [*ALWAYS, "manifest.json"]
    assert content.json("conversations/openai-chat.json") == []
    assert content.json("company.json")["legal_name"] == "Müller & Söhne GmbH"  # type: ignore[index]
    assert "Müller & Söhne GmbH" in content.text("README.txt")
    assert [row[1] for row in content.table("members.csv")] == ["role", "owner"]


async def test_the_content_log_is_in_it_if_there_is_one_and_leaves_a_trace(fleet: Fleet, exports: Exports) -> None:
    tenant, without = await fleet.company(), await fleet.company()
    await logged(exports.database, tenant, "Was kostet ein Brot?", "Fünf Euro")
    exports.builder = ExportBuilder(exports.database, exports.files, fleet.runtime, RecordedUsage(), exports.scratch)

    content, empty = await exports.content(tenant), await exports.content(without)

    [line] = map(orjson.loads, content.text("content-log/calls.jsonl").splitlines())
    assert (line["request"], line["answer"], line["model"]) == ("Was kostet ein Brot?", "Fünf Euro", "assistant")
    assert line["id"].startswith("use_")
    assert "content-log/calls.jsonl" not in empty.names()
    async with exports.database.uow(tenant) as tx:
        query = select(AuditEntry.data).where(AuditEntry.action == "content_log.exported")
        assert (await tx.scalars(query)).all() == [{"entries": 1}]


async def test_conversations_are_in_openais_chat_form(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.company()
    await exports.say(
        tenant,
        (Speaker.USER, "Grüß Gott 🦊\nneue Zeile"),
        (Speaker.NOTICE, "Sie sprechen mit einer KI."),
        (Speaker.ASSISTANT, 'Er sagte "ja"'),
        (Speaker.HUMAN, "Hier ist Eva."),
    )
    await exports.say(tenant, (Speaker.USER, "zweites Gespräch"), user=None)

    content = await exports.content(tenant)

    both = content.json("conversations/openai-chat.json")
    assert isinstance(both, list)
    first, second = both
    assert first["user"] == "anna"
    assert [(one["role"], one["content"], one.get("name")) for one in first["messages"]] == [
        ("user", "Grüß Gott 🦊\nneue Zeile", None),
        ("assistant", "Sie sprechen mit einer KI.", "notice"),
        ("assistant", 'Er sagte "ja"', None),
        ("assistant", "Hier ist Eva.", "human"),
    ]
    assert first["messages"][0]["created_at"] == "2026-11-23T09:00:00.000Z"
    assert (second["user"], len(second["messages"])) == (None, 1)
    lines = content.text("conversations/openai-chat.jsonl").splitlines()
    assert lines[1] == '{"messages":[{"role":"user","content":"zweites Gespräch"}]}'
    assert len(lines) == 2
    table = content.table("conversations/messages.csv")
    assert [(row[5], row[6]) for row in table[1:3]] == [
        ("user", "Grüß Gott 🦊\nneue Zeile"),
        ("notice", "Sie sprechen mit einer KI."),
    ]


@pytest.mark.parametrize("text", ['=HYPERLINK("http://boese")', "+1", "-1", "@x", "\tx", " =1"])
async def test_no_cell_of_a_table_is_a_formula(fleet: Fleet, exports: Exports, text: str) -> None:
    tenant = await fleet.company()
    await exports.say(tenant, (Speaker.USER, text), user=text)

    row = (await exports.content(tenant)).table("conversations/messages.csv")[1]

    assert (row[2], row[6]) == (f"'{text}", f"'{text}")


async def test_the_manifest_has_size_and_digest_of_every_other_file(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.ready_tenant()
    await exports.say(tenant, (Speaker.USER, "Umlaute: äöüß"))

    content = await exports.content(tenant)

    manifest = content.json("manifest.json")
    assert isinstance(manifest, dict)
    told = [(one["path"], one["size_bytes"], one["sha256"]) for one in manifest["files"]]
    plain = [(name, content.zip.read(name)) for name in content.names() if name != "manifest.json"]
    assert told == [(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in plain]
    assert manifest["missing"] == []


async def test_no_secret_of_the_instance_is_in_the_export(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.ready_tenant()
    known = fleet.runtime.instances[InstanceId((await fleet.instance(tenant)).id)]
    assert known.spec is not None
    known.files["AGENTS.md"] += f"\ntoken {known.spec.token} key {known.spec.gateway_key}\n"

    content = await exports.content(tenant)

    everything = "".join(content.text(name) for name in content.names())
    assert known.spec.token not in everything
    assert known.spec.gateway_key not in everything
    assert "token ${REDACTED} key ${REDACTED}" in content.text("prompts/AGENTS.md")
    assert '"token": "${OPENCLAW_GATEWAY_TOKEN}"' in content.text("configuration/openclaw.json")


async def test_the_prompts_of_a_stopped_assistant_are_in_the_export(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.ready_tenant()
    await fleet.runtime.stop(InstanceId((await fleet.instance(tenant)).id))

    content = await exports.content(tenant)

    assert {"prompts/AGENTS.md", "prompts/SOUL.md", "prompts/IDENTITY.md"} <= set(content.names())


async def test_names_from_the_assistants_volume_cannot_leave_the_folder_of_the_zip(
    fleet: Fleet, exports: Exports
) -> None:
    tenant = await fleet.ready_tenant()
    known = fleet.runtime.instances[InstanceId((await fleet.instance(tenant)).id)]
    known.files |= {
        "../../etc/cron.d/x.md": "1",
        "..\\..\\windows\\y.md": "2",
        "/abs.md": "3",
        "C:\\z.md": "4",
        "con.md": "5",
        "a\x00b\u202e.md": "6",
        "Ä" * 300 + ".md": "7",
        "agents.MD.md": "8",
        "soul.md": "9",
    }

    content = await exports.content(tenant)

    prompts = [name for name in content.names() if name.startswith("prompts/")]
    assert len({name.casefold() for name in prompts}) == len(prompts) == 4 + 9
    for name in prompts:
        assert not name.startswith("/")
        assert not {"..", "", "con.md"} & set(name.split("/"))
        assert not any(letter in name for letter in "\\:\x00\u202e")
        assert max(map(len, name.split("/"))) <= 120


async def test_another_tenants_data_is_not_in_the_export(fleet: Fleet, exports: Exports) -> None:
    mine, other = await fleet.company(), await fleet.company(legal_name="Geheim AG")
    await exports.say(other, (Speaker.USER, "streng vertraulich"))
    exports.usage.rows[other] = "2026-11-01,fremd,1,1,0.1\r\n"

    content = await exports.content(mine)

    everything = "".join(content.text(name) for name in content.names())
    assert not any(word in everything for word in ("Geheim", "vertraulich", "fremd"))


async def test_a_second_request_gets_the_export_that_is_running(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.company()

    first, second = await exports.ask(tenant), await exports.ask(tenant)
    await exports.build(tenant, first.id)
    third = await exports.ask(tenant)

    assert (first.id, first.state, first.progress) == (second.id, ExportState.QUEUED, 0)
    assert third.id != first.id


async def test_a_finished_export_tells_size_digest_and_when_it_goes(
    fleet: Fleet, exports: Exports, clock: FixedClock
) -> None:
    tenant = await fleet.company()

    export = await exports.built(tenant)

    data = await exports.fetch(tenant, export.id)
    assert (export.state, export.progress) == (ExportState.READY, 100)
    assert (export.size_bytes, export.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert export.expires_at == clock.now() + timedelta(days=7)


async def test_what_lies_in_the_store_is_sealed_under_the_tenants_key(
    fleet: Fleet, exports: Exports, database: Database
) -> None:
    tenant = await fleet.company()
    await exports.say(tenant, (Speaker.USER, "streng vertraulich"))
    export = await exports.built(tenant)

    assert all(b"PK\x03\x04" not in file.read_bytes() for file in exports.stored())
    await database.vault.destroy_key(tenant)
    with pytest.raises(KeyDestroyed):
        await exports.fetch(tenant, export.id)


async def test_ten_thousand_messages_are_exported(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.company()
    await many_messages(exports, tenant, conversations=20, each=500)
    export = await exports.ask(tenant)

    await exports.build(tenant, export.id)

    both = Content(await exports.fetch(tenant, export.id)).json("conversations/openai-chat.json")
    assert isinstance(both, list)
    assert sum(len(one["messages"]) for one in both) == 10_000
    assert [one["messages"][499]["content"] for one in both] == ["Nachricht 499 🦊"] * 20


async def test_progress_is_told_while_it_goes_and_never_goes_back(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.company()
    await many_messages(exports, tenant, conversations=4, each=400)
    export = (await exports.ask(tenant)).id
    building = asyncio.create_task(exports.build(tenant, export))

    seen = []
    while not building.done():
        view = await exports.look(tenant, export)
        seen.append(view.progress)
    await building

    assert seen == sorted(seen)
    assert len({*seen}) > 3


async def test_a_build_that_is_killed_is_made_anew_and_leaves_one_file(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.ready_tenant()
    await many_messages(exports, tenant, conversations=1, each=30)
    life, suspensions = Life(0), 0
    while suspensions == 0 or life.is_over:
        export = (await exports.ask(tenant)).id
        life = Life(suspensions)
        await life.of(exports.build(tenant, export))
        await exports.build(tenant, export)
        view = await exports.look(tenant, export)
        assert (view.state, view.progress) == (ExportState.READY, 100)
        assert hashlib.sha256(await exports.fetch(tenant, export)).hexdigest() == view.sha256
        suspensions += 7

    assert suspensions > 60
    assert list(exports.scratch.glob("*")) == []


async def test_a_build_that_never_succeeds_has_failed_with_a_sentence_and_a_new_one_can_be_asked_for(
    fleet: Fleet, exports: Exports
) -> None:
    tenant = await fleet.ready_tenant()
    export = (await exports.ask(tenant)).id
    life = Life(0)
    for _ in range(MAX_TRIES):
        life = Life(30)
        await life.of(exports.build(tenant, export))
        assert life.is_over

    await exports.build(tenant, export)

    view = await exports.look(tenant, export)
    assert view.state == ExportState.FAILED
    assert view.failure is not None
    assert (await exports.ask(tenant)).id != export


async def test_an_export_that_stands_still_for_an_hour_has_failed(
    fleet: Fleet, exports: Exports, clock: FixedClock
) -> None:
    tenant = await fleet.company()
    export = (await exports.ask(tenant)).id

    clock.advance(timedelta(minutes=59))
    assert await exports.sweep() == 0
    clock.advance(timedelta(minutes=1))
    assert await exports.sweep() == 1

    assert (await exports.look(tenant, export)).state == ExportState.FAILED


async def test_an_export_is_deleted_after_seven_days(fleet: Fleet, exports: Exports, clock: FixedClock) -> None:
    tenant = await fleet.company()
    export = await exports.built(tenant)
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert await exports.sweep() == 0
    assert await exports.fetch(tenant, export.id)

    clock.advance(timedelta(seconds=1))
    with pytest.raises(DomainError) as before_the_sweep:
        await exports.fetch(tenant, export.id)
    assert await exports.sweep() == 1
    with pytest.raises(DomainError) as after_the_sweep:
        await exports.fetch(tenant, export.id)

    assert before_the_sweep.value.code == after_the_sweep.value.code == "export.expired"
    assert exports.stored() == []
    assert (await exports.look(tenant, export.id)).state == ExportState.EXPIRED


async def test_an_export_that_is_not_finished_cannot_be_fetched(fleet: Fleet, exports: Exports) -> None:
    tenant = await fleet.company()
    export = await exports.ask(tenant)

    with pytest.raises(DomainError) as refusal:
        await exports.fetch(tenant, export.id)

    assert refusal.value.code == "export.not_ready"


async def test_another_tenants_export_is_not_there(fleet: Fleet, exports: Exports, database: Database) -> None:
    mine, other = await fleet.company(), await fleet.company()
    export = await exports.built(mine)

    async with database.uow(other) as tx:
        with pytest.raises(NotFound):
            await read_export(tx, other, export.id)
    with pytest.raises(NotFound):
        await exports.fetch(other, export.id)


async def test_a_tenant_that_is_being_erased_cannot_export(fleet: Fleet, exports: Exports, database: Database) -> None:
    tenant = await fleet.company()
    running = (await exports.ask(tenant)).id
    async with database.uow(tenant) as tx:
        await request_erasure(tx, tenant, OWNER)

    with pytest.raises(DomainError) as refusal:
        await exports.ask(tenant)
    await exports.build(tenant, running)

    assert refusal.value.code == "tenant.not_possible"
    assert exports.stored() == []


async def test_each_act_around_an_export_is_in_the_audit_log(
    fleet: Fleet, exports: Exports, database: Database, clock: FixedClock
) -> None:
    tenant = await fleet.company()
    export = await exports.built(tenant)
    await exports.fetch(tenant, export.id)
    clock.advance(timedelta(days=8))
    await exports.sweep()

    async with database.uow(tenant) as tx:
        acts = list(await tx.scalars(select(AuditEntry.action).order_by(AuditEntry.seq)))
    assert acts[-4:] == ["export.requested", "export.ready", "export.downloaded", "export.expired"]


async def test_of_two_builds_at_once_the_later_one_publishes_and_the_other_leaves_nothing(
    fleet: Fleet, exports: Exports
) -> None:
    tenant = await fleet.ready_tenant()
    await many_messages(exports, tenant, conversations=2, each=600)
    export = (await exports.ask(tenant)).id

    await asyncio.gather(exports.build(tenant, export), exports.build(tenant, export))

    view = await exports.look(tenant, export)
    assert view.state == ExportState.READY
    assert hashlib.sha256(await exports.fetch(tenant, export)).hexdigest() == view.sha256
    assert len(exports.stored()) == 1
