"""Samples of the pages about the assistant and its conversations."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from kontor.app.portal.frame import Form, Frame
from kontor.app.portal.render import View
from kontor.app.portal.views import assistant
from kontor.core.i18n import Lang, Text
from kontor.tenants.people.model import Role
from support.portal.budgets import standing
from support.portal.frames import AT, NOVEMBER, member

SAID = (
    assistant.Said("user", "Wie lange dauert ein Esstisch aus Eiche?", AT),
    assistant.Said(
        "assistant",
        "Für einen Esstisch aus Eiche rechnen wir mit sechs Wochen.\n\nMöchten Sie einen Termin in der Werkstatt?",
        AT,
    ),
    assistant.Said("user", "MENSCH", AT),
    assistant.Said("notice", "Wir haben Ihr Gespräch an das Team übergeben. Es antwortet Ihnen jemand.", AT),
    assistant.Said("human", "Guten Tag, hier ist Katrin Brandt. Am Donnerstag um 15 Uhr?", AT, "Katrin Brandt"),
    assistant.Said("assistant", "Der Termin ist", AT, is_cut=True),
)
DISCLOSURE = (
    "Sie kommunizieren mit einem KI-gestützten Assistenten von Tischlerei Brandt GmbH. "
    "Dieser wird von der NextGen IT Solutions GmbH betrieben. "
    "Bitte geben Sie keine sensiblen persönlichen Daten ein. Schreiben Sie MENSCH für einen menschlichen Mitarbeiter."
)


def samples(lang: Lang) -> Iterator[tuple[str, View, Frame]]:
    steps = tuple(
        assistant.NextStep(Text(de=de, en=en), Text(de=hint, en=hint), path, is_done)
        for de, en, hint, path, is_done in (
            ("Erste Frage stellen", "Ask a first question", "Im Chat, gleich hier.", "/chat", True),
            (
                "Anweisungen schreiben",
                "Write instructions",
                "Wer Sie sind und wie er klingen soll.",
                "/assistant",
                False,
            ),
            ("Team einladen", "Invite your team", "Vier Plätze sind noch frei.", "/members", False),
        )
    )
    home = assistant.Home(
        "Holzwurm",
        "ready",
        "Starter",
        is_pilot=True,
        month=NOVEMBER,
        budget=standing(29, is_pilot=True),
        answers=128,
        availability_pct=Decimal("99.604"),
        target_pct=Decimal("99.0"),
        seats=5,
        members=3,
        waiting=2,
        steps=steps,
    )
    imprints = assistant.Imprints(
        "Tischlerei Brandt GmbH", "Werkstraße 4, 71034 Böblingen", "NextGen IT Solutions GmbH"
    )
    chat = assistant.ChatPage("Holzwurm", "ready", "cnv_01h455vb4pex5vsknk084sn02q", SAID, DISCLOSURE, imprints)
    yield "home", home, member(lang, "home")
    yield (
        "home-failed",
        replace(home, phase="failed", problem="Der Assistent konnte nicht starten.", availability_pct=None, waiting=0),
        member(lang, "home"),
    )
    full = standing(100, cap=100)
    yield "home-used-up", replace(home, is_pilot=False, budget=full), member(lang, "home")
    yield "chat", chat, member(lang, "chat")
    yield "chat-empty", replace(chat, said=(), conversation=None, phase="hibernated"), member(lang, "chat")
    states = ("waiting", "human", "assistant")
    rows = tuple(
        assistant.ConversationRow(
            f"cnv_{n}",
            f"Website-Besucher {n}",
            "API",
            states[n % 3],
            AT - timedelta(hours=n),
            "MENSCH – ich hätte gern ein Angebot für einen Esstisch",
        )
        for n in range(5)
    )
    yield "conversations", assistant.Conversations(rows, next_cursor="abc"), member(lang, "conversations")
    yield "conversations-empty", assistant.Conversations((), only_waiting=True), member(lang, "conversations")
    one = {
        "id": "cnv_1",
        "label": "Website-Besucher 1",
        "channel": "API",
        "state": "waiting",
        "started_at": AT,
        "said": SAID,
        "may_answer": True,
    }
    yield "conversation", assistant.ConversationPage(**one), member(lang, "conversations")
    yield "conversation-part", assistant.ConversationPart(**one), member(lang, "conversations")
    rules = (
        Text(de="Er stellt sich beim ersten Kontakt als KI vor.", en="It introduces itself as an AI at first contact."),
        Text(de="MENSCH erreicht immer einen Menschen.", en="HUMAN always reaches a person."),
    )
    settings = assistant.AssistantSettings(
        phase="ready",
        display_name="Holzwurm",
        system_prompt="Sie sind der Assistent der Tischlerei Brandt.",
        revision=4,
        is_applied=False,
        pack_rules=rules,
        may_edit=True,
        updated_at=AT,
    )
    yield "assistant", settings, member(lang, "assistant")
    yield (
        "assistant-conflict",
        replace(settings, theirs="Sie sind der Assistent.", form=Form({"system_prompt": "Mein Text"})),
        member(lang, "assistant"),
    )
    yield "assistant-viewer", replace(settings, may_edit=False), member(lang, "assistant", Role.VIEWER)
