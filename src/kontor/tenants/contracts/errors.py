"""What contracts refuse, and what is wrong with a file of ours."""

from pathlib import Path

from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Text


class UnknownChoice(DomainError):
    """A country, an industry or a data residency that the data files do not hold."""

    def __init__(self, what: Text, value: str, known: tuple[str, ...]) -> None:
        choices = ", ".join(known)
        super().__init__(
            Kind.INVALID,
            "contracts.unknown_choice",
            Text(
                de=f"{what.de} „{value}“ gibt es nicht. Möglich sind: {choices}.",
                en=f"There is no {what.en} “{value}”. Choose one of: {choices}.",
            ),
        )


class UnknownDocument(DomainError):
    """A kind or a version of a document that does not exist."""

    def __init__(self, kind: str, version: str) -> None:
        super().__init__(
            Kind.NOT_FOUND,
            "contracts.unknown_document",
            Text(
                de="Das Dokument {kind} gibt es nicht in der Fassung {version}.",
                en="There is no document {kind} of version {version}.",
            ).fill(kind=kind, version=version),
        )


class MissingFact(DomainError):
    """The text needs a fact that was not given: nothing is rendered, so that nobody accepts a text with a gap."""

    def __init__(self, fact: str, document: str) -> None:
        super().__init__(
            Kind.NOT_POSSIBLE,
            "contracts.missing_fact",
            Text(
                de="Im Dokument {document} fehlt die Angabe {fact}. Ergänzen Sie sie, dann entsteht der Vertrag.",
                en="The document {document} lacks the fact {fact}. Add it, and the contract can be drawn up.",
            ).fill(document=document, fact=fact),
        )
        self.fact = fact


class BrokenFile(Exception):
    """A data file or a text that we ship, or that the operator overrode, is wrong. Names the file and the place."""

    def __init__(self, file: Path, what: str) -> None:
        super().__init__(f"{file}: {what}")
        self.file = file
        self.what = what
