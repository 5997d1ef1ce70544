"""The README of an export: what each file is, in German and English."""

from datetime import datetime
from typing import Final

from kontor.core.clock import BERLIN

_TEXT: Final = """\
Export von Kontor für {company}
Stand: {at_de} Uhr (Deutschland)

(English below)

Diese ZIP-Datei enthält alles, was Kontor für Ihr Unternehmen gespeichert hat. Texte sind UTF-8, Zeiten in den
Dateien sind UTC, Tage in der Nutzung sind Tage in Deutschland.

conversations/openai-chat.json   alle Gespräche im Format der OpenAI-Chat-Schnittstelle: eine Liste von Gesprächen
                                 mit „messages“ (role, content). „name“ steht dabei, wenn nicht der Assistent selbst
                                 geantwortet hat, sondern ein Mensch (human) oder Kontor mit einem Hinweis (notice).
conversations/openai-chat.jsonl  dasselbe, ein Gespräch je Zeile, nur role, content und name: so nehmen es Werkzeuge.
conversations/messages.csv       dasselbe als Tabelle, eine Zeile je Nachricht.
assistant/transcripts.json       die Aufzeichnungen des Assistenten (OpenClaw), wie er sie selbst führt.
configuration/openclaw.json      die Konfiguration des Assistenten. Schlüssel sind durch Platzhalter ersetzt.
prompts/                         Anweisungen an den Assistenten: system-prompt.md ist Ihr eigener Text, die übrigen
                                 Dateien sind das, was er daraus liest. Eigene Skills oder Kanäle gibt es noch nicht.
company.json                     Ihr Unternehmen, Ihr Tarif und welche Verträge Sie angenommen haben.
contracts/                       die Texte, die Sie angenommen haben.
members.csv                      wer in Ihrem Konto welche Rolle hat.
content-log/calls.jsonl          das Inhaltsprotokoll, falls es eines gibt: ein Aufruf eines Modells je Zeile.
usage/usage.csv                  die Nutzung je Tag und Modell: date, model, input tokens, output tokens, cost (EUR).
manifest.json                    jede Datei mit Größe und SHA-256, und was fehlt, falls etwas fehlt.

In Tabellen steht vor Texten, die mit = + - oder @ beginnen, ein Apostroph. So führt keine Tabellenkalkulation sie aus.

------------------------------------------------------------------------------------------------------------------------

Export from Kontor for {company}
As of: {at_en} (Germany)

This ZIP contains everything that Kontor has stored for your company. Texts are UTF-8, times in the files are UTC,
days of usage are days in Germany.

conversations/openai-chat.json   all conversations in the format of the OpenAI chat API: a list of conversations with
                                 "messages" (role, content). There is a "name" where it was not the assistant itself
                                 that answered but a person (human), or Kontor with a notice (notice).
conversations/openai-chat.jsonl  the same, one conversation a line, only role, content and name: as tools take it.
conversations/messages.csv       the same as a table, one message a row.
assistant/transcripts.json       the assistant's (OpenClaw's) own records, as it keeps them.
configuration/openclaw.json      the assistant's configuration. Keys are replaced by placeholders.
prompts/                         instructions to the assistant: system-prompt.md is your own text, the other files are
                                 what it reads of it. There are no skills or channels of your own yet.
company.json                     your company, your plan, and which contracts you have accepted.
contracts/                       the texts that you have accepted.
members.csv                      who has which role in your account.
content-log/calls.jsonl          the content log, if there is one: one call to a model a line.
usage/usage.csv                  usage by day and model: date, model, input tokens, output tokens, cost (EUR).
manifest.json                    each file with its size and SHA-256, and what is missing, if anything is.

In tables an apostrophe stands before texts that begin with = + - or @, so that no spreadsheet program runs them.
"""


def readme(company: str, at: datetime) -> str:
    """The whole text."""
    local = at.astimezone(BERLIN)
    return _TEXT.format(company=company, at_de=f"{local:%d.%m.%Y, %H:%M}", at_en=f"{local:%Y-%m-%d %H:%M}")
