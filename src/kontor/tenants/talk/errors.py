"""What the talk rooms refuse, each with the sentence that the caller reads."""

from datetime import date
from typing import Literal

from kontor.core.errors import DomainError, Kind, Unavailable
from kontor.core.i18n import Text


class MessageEmpty(DomainError):
    """There is nothing to answer."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "chat.message_empty",
            Text(
                de="Die Nachricht ist leer. Schreiben Sie einen Text.",
                en="The message is empty. Write some text.",
            ),
        )


class MessageUnreadable(DomainError):
    """It holds control characters."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "chat.message_unreadable",
            Text(
                de="Die Nachricht enthält Steuerzeichen (etwa NUL). Entfernen Sie sie; Zeilenumbrüche sind erlaubt.",
                en="The message contains control characters (such as NUL). Remove them; line breaks are allowed.",
            ),
        )


class MessageTooLong(DomainError):
    """It does not fit."""

    def __init__(self, length: int, longest: int) -> None:
        super().__init__(
            Kind.INVALID,
            "chat.message_too_long",
            Text(
                de=f"Die Nachricht hat {length} Zeichen; höchstens {longest} sind möglich. Kürzen oder teilen Sie sie.",
                en=f"The message has {length} characters; at most {longest} are possible. Shorten or split it.",
            ),
        )


class AnotherTurnRuns(DomainError):
    """The answer to the message before takes too long."""

    def __init__(self) -> None:
        super().__init__(
            Kind.CONFLICT,
            "chat.another_turn_runs",
            Text(
                de="Der Assistent antwortet in dieser Unterhaltung noch auf die vorige Nachricht. Warten Sie darauf.",
                en="The assistant is still answering the message before in this conversation. Wait for that answer.",
            ),
            retry_after_s=5,
        )


class TurnLimitReached(DomainError):
    """Who asks has had all turns that an admin allows; it goes on with the Berlin day `goes_on`."""

    def __init__(self, period: Literal["day", "month"], limit: int, goes_on: date, wait_s: int) -> None:
        if limit == 0:
            text = Text(
                de="Für Sie sind keine Nachrichten an den Assistenten freigegeben. Ein Inhaber oder Administrator "
                "Ihres Unternehmens kann das ändern. Schreiben Sie MENSCH für einen menschlichen Mitarbeiter.",
                en="No messages to the assistant are allowed to you. An owner or administrator of your company can "
                "change that. Write HUMAN to reach a person.",
            )
        else:
            of = Text(de="pro Tag", en="a day") if period == "day" else Text(de="pro Monat", en="a month")
            what = Text(de="Nachricht", en="message") if limit == 1 else Text(de="Nachrichten", en="messages")
            text = Text(
                de=f"Ihr Limit von {limit} {what.de} {of.de} an den Assistenten ist erreicht. Weiter geht es am "
                f"{goes_on:%d.%m.%Y} um 0 Uhr (Berlin). Ein Inhaber oder Administrator Ihres Unternehmens kann das "
                "Limit ändern. Schreiben Sie MENSCH für einen menschlichen Mitarbeiter.",
                en=f"Your limit of {limit} {what.en} {of.en} to the assistant is reached. You can go on from "
                f"{goes_on:%Y-%m-%d}, 00:00 (Berlin). An owner or administrator of your company can change the limit. "
                "Write HUMAN to reach a person.",
            )
        super().__init__(Kind.LIMITED, "chat.turn_limit", text, retry_after_s=wait_s if limit else None)


class OtherUser(DomainError):
    """`user` and the conversation do not belong together."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "chat.other_user",
            Text(
                de="„user“ gehört nicht zur Unterhaltung in „Kontor-Conversation“. Senden Sie nur eins von beiden.",
                en="'user' does not belong to the conversation in 'Kontor-Conversation'. Send only one of the two.",
            ),
        )


class NotActivated(DomainError):
    """Nothing is processed before the contracts are accepted."""

    def __init__(self) -> None:
        super().__init__(
            Kind.NOT_POSSIBLE,
            "chat.not_activated",
            Text(
                de="Der Assistent antwortet, sobald die Verträge angenommen sind. Das geht im Portal unter „Verträge“.",
                en="The assistant answers once the contracts are accepted, in the portal under 'Contracts'.",
            ),
        )


class BeingErased(DomainError):
    """The tenant is going."""

    def __init__(self) -> None:
        super().__init__(
            Kind.GONE,
            "chat.being_erased",
            Text(
                de="Dieser Assistent wird gelöscht und antwortet nicht mehr.",
                en="This assistant is being erased and answers no more.",
            ),
        )


class StillPreparing(Unavailable):
    """The assistant is being set up."""

    def __init__(self) -> None:
        super().__init__(
            "assistant.preparing",
            Text(
                de="Der Assistent wird gerade eingerichtet. Versuchen Sie es in wenigen Sekunden noch einmal.",
                en="The assistant is being set up. Try again in a few seconds.",
            ),
            retry_after_s=5,
        )


class SetupFailed(DomainError):
    """The assistant could not be set up."""

    def __init__(self) -> None:
        super().__init__(
            Kind.NOT_POSSIBLE,
            "assistant.setup_failed",
            Text(
                de="Die Einrichtung des Assistenten ist fehlgeschlagen. Im Portal steht warum; dort geht es weiter.",
                en="The setup of the assistant has failed. The portal says why and lets you try again.",
            ),
        )


class NotAwake(Unavailable):
    """It was woken or restarted and did not answer in time."""

    def __init__(self) -> None:
        super().__init__(
            "assistant.not_awake",
            Text(
                de="Der Assistent startet noch. Versuchen Sie es in einer Minute noch einmal.",
                en="The assistant is still starting. Try again in a minute.",
            ),
            retry_after_s=30,
        )


class NotWithHuman(DomainError):
    """Nobody asked for a human."""

    def __init__(self) -> None:
        super().__init__(
            Kind.NOT_POSSIBLE,
            "conversation.not_with_human",
            Text(
                de="In dieser Unterhaltung antwortet der Assistent. Antworten können Sie, wenn jemand MENSCH schreibt.",
                en="The assistant answers in this conversation. You can answer once somebody writes HUMAN.",
            ),
        )
