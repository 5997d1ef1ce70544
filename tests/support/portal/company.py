"""Samples of the pages about the company and the account."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from kontor.app.portal.frame import Choice, Form, Frame
from kontor.app.portal.render import View
from kontor.app.portal.views import account, company, content_log
from kontor.billing.metering.content.notice import NOTICE
from kontor.core.i18n import Lang, Text
from kontor.tenants.people.model import Role
from support.portal.budgets import of_day, standing
from support.portal.frames import AT, AUDIT, SHA, TENANT, WRONG, documents, member, visitor


def samples(lang: Lang) -> Iterator[tuple[str, View, Frame]]:
    members = (
        company.MemberRow("mbr_1", "katrin.brandt@tischlerei-brandt.example", "owner", AT, is_me=True),
        company.MemberRow(
            "mbr_2", "jo@tischlerei-brandt.example", "viewer", AT, is_me=False, turns=company.Turns(20, 20, 187, 300)
        ),
    )
    invited = (company.InvitationRow("inv_1", "neu@tischlerei-brandt.example", "admin", AT + timedelta(days=7)),)
    yield "members", company.Members(members, invited, 5, may_edit=True, taken=3), member(lang, "members")
    yield (
        "members-full",
        company.Members(members, invited, 3, may_edit=True, form=WRONG, taken=3),
        member(lang, "members"),
    )
    yield (
        "members-viewer",
        company.Members(members, (), 5, may_edit=False, taken=3),
        member(lang, "members", Role.VIEWER),
    )
    keys = (
        company.KeyRow("key_1", "Website", "kontor_8f3kQ2", ("chat",), AT, AT + timedelta(days=90), AT, None),
        company.KeyRow(
            "key_2", "Alt", "kontor_11aaZZ", ("chat", "usage"), AT, None, None, AT, company.Turns(0, 50, 12)
        ),
    )
    scopes = tuple(
        Choice(v, Text(de=d, en=e), Text(de=h, en=h))
        for v, d, e, h in (
            ("chat", "Fragen", "Ask", "Gespräche führen"),
            ("usage", "Verbrauch", "Usage", "Zahlen lesen"),
            ("export", "Export", "Export", "Daten holen"),
            ("read", "Lesen", "Read", "Alles lesen"),
        )
    )
    page = company.Keys(keys, scopes, "http://127.0.0.1:8080")
    yield "keys", page, member(lang, "keys")
    of_jo = company.TurnLimits(members[1].email, "member", "/members/mbr_2/turns", members[1].turns, 2, may_edit=True)
    yield "turns-member", of_jo, member(lang, "members")
    yield "turns-none", replace(of_jo, turns=company.Turns(3, 0, 40, None)), member(lang, "members")
    yield "turns-owner", replace(of_jo, may_edit=False), member(lang, "members", Role.ADMIN)
    yield "turns-wrong", replace(of_jo, form=WRONG), member(lang, "members")
    of_website = company.TurnLimits("Website", "key", "/keys/key_1/turns", company.Turns(7, None, 93), 1, may_edit=True)
    yield "turns-key", of_website, member(lang, "keys")
    yield "keys-secret", replace(page, secret="kontor_8f3kQ2vXyTnR4mPz7LwB5sHd9JcF1aGe"), member(lang, "keys")
    yield "keys-empty", replace(page, keys=()), member(lang, "keys")
    rows = (
        company.GatewayKeyRow(
            "gwk_1", "Angebote", "kgw_8f3kQ2v", AT, AT, AT.date(), has_expired=False, revoked_at=None,
            month=standing(43, cap=100), day=of_day(100),
        ),
        company.GatewayKeyRow(
            "gwk_2", "Übersetzer", "kgw_11aaZZ9", AT, None, None, has_expired=False, revoked_at=None,
            month=standing(0), day=None,
        ),
        company.GatewayKeyRow(
            "gwk_3", "Alt", "kgw_22bbYY8", AT, AT, AT.date(), has_expired=True, revoked_at=None,
            month=standing(3), day=None,
        ),
        company.GatewayKeyRow(
            "gwk_4", "Verloren", "kgw_33ccXX7", AT, AT, None, has_expired=False, revoked_at=AT,
            month=standing(3), day=None,
        ),
    )  # fmt: skip
    direct = company.GatewayKeys(rows, "https://gateway.kontor.example/v1", ("assistant", "mistral-small"))
    wrong = Form({"name": "", "day_cap_eur": "viel"}, {"day_cap_eur": "Keine Zahl."}, "Bitte prüfen.")
    yield "gateway-keys", direct, member(lang, "gateway_keys")
    yield (
        "gateway-keys-secret",
        replace(direct, secret="kgw_8f3kQ2vXyTnR4mPz7LwB5sHd9JcF1aGe", next_cursor="abc"),
        member(lang, "gateway_keys"),
    )
    yield "gateway-keys-empty", replace(direct, keys=(), models=(), form=wrong), member(lang, "gateway_keys")
    yield "contracts", company.ContractList(documents(accepted=True)), member(lang, "contracts")
    exports = (
        company.ExportRow("exp_3", "running", 45, AT),
        company.ExportRow("exp_2", "ready", 100, AT, AT, AT + timedelta(days=7), 1_432_000, SHA),
        company.ExportRow("exp_1", "failed", 20, AT, problem="Die Festplatte ist voll."),
        company.ExportRow("exp_0", "expired", 100, AT),
    )
    yield "exports", company.Exports(exports), member(lang, "exports")
    yield "exports-part", company.ExportsPart(exports), member(lang, "exports")
    yield "exports-empty", company.Exports(()), member(lang, "exports")
    crafts = Text(de="Handwerk", en="Crafts")
    yield (
        "company",
        company.CompanyPage(
            TENANT,
            "Tischlerei Brandt GmbH",
            ("Werkstraße 4", "71034 Böblingen"),
            Text(de="Deutschland", en="Germany"),
            crafts,
            "Fragen von Kunden zu Möbeln beantworten.",
            Text(de="Nur Deutschland", en="Germany only"),
            Text(de="Inhalte bleiben in Deutschland.", en="Content stays in Germany."),
            "Starter",
            is_pilot=True,
            seats=5,
            retention_days=90,
            retentions=(30, 60, 90),
            revision=1,
            since=AT,
            may_edit=True,
            may_leave=True,
        ),
        member(lang, "company"),
    )
    yield (
        "leave",
        company.Leave("Tischlerei Brandt GmbH", has_export=False, conversations=41, members=3),
        member(lang, "company"),
    )
    yield (
        "leave-wrong",
        company.Leave("Tischlerei Brandt GmbH", has_export=True, conversations=1, members=1, form=WRONG),
        member(lang, "company"),
    )
    proofs = (
        company.Proof(Text(de="Zeilen in der Datenbank", en="Database rows"), 0),
        company.Proof(Text(de="Dateien", en="Files"), 3),
        company.Proof(Text(de="Datenschlüssel", en="Data key"), 0),
    )
    receipt = company.Receipt("era_01h455vb4pex5vsknk084sn02q", "done", AT, AT, proofs, "/receipts/era_1?token=x")
    yield "receipt", receipt, visitor(lang)
    yield "receipt-running", replace(receipt, state="running", finished_at=None, proofs=()), visitor(lang)
    call = content_log.CallRow(
        "use_01h455vb4pex5vsknk084sn02q", AT, "assistant", 200, 1_404, 320_000, is_truncated=True
    )
    calls = (call, replace(call, id="use_2", status=None, answer_bytes=0, is_truncated=False))
    log = content_log.ContentLogPage(
        NOTICE, is_on=True, retention_days=7, since=AT, entries=2, days=(1, 7, 30), is_owner=True, calls=calls
    )
    yield "content-log", log, member(lang, "content-log")
    off = replace(log, is_on=False, since=None, entries=0, calls=())
    yield "content-log-off", replace(off, form=WRONG), member(lang, "content-log")
    yield "content-log-member", replace(off, is_owner=False), member(lang, "content-log", Role.VIEWER)
    said = ('{"messages": [{"role": "user", "content": "Wann öffnen Sie?"}]}', "data: [DONE]\n\n" * 30)
    yield "content-call", content_log.CallPage(call, *said), member(lang, "content-log")
    yield "audit", company.AuditLog(AUDIT, is_intact=True, verified_at=AT, next_cursor="abc"), member(lang, "audit")
    yield "audit-broken", company.AuditLog((), is_intact=False, verified_at=AT), member(lang, "audit")
    sessions = (
        account.SessionRow("ses_1", "Firefox auf Linux", "192.0.2.7", AT, AT, is_this=True),
        account.SessionRow("ses_2", "Safari auf iPhone", "2001:db8::7", AT, AT, is_this=False),
    )
    yield "account", account.Account("katrin.brandt@tischlerei-brandt.example", sessions), member(lang)
