"""The print of a document."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kontor.core.i18n import LANGS, Lang
from kontor.tenants.contracts.catalogue import packaged
from kontor.tenants.contracts.pdf import printable, to_pdf
from kontor.tenants.contracts.render import RenderedDocument, render
from kontor.tenants.contracts.required import document_ref
from support.contracting import contract_facts, customer


def document(kind: str, lang: Lang, company: str = "Bäckerei Müller GmbH") -> RenderedDocument:
    return render(document_ref(kind, packaged().kinds[kind].versions[-1]), lang, contract_facts(customer(company)))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", packaged().kinds)
def test_every_document_prints_as_pdf_a_with_its_title(kind: str, lang: Lang) -> None:
    rendered = document(kind, lang)

    pdf = to_pdf(rendered)

    assert pdf.startswith(b"%PDF-1.7")
    assert b"<pdfaid:part>2</pdfaid:part>" in pdf
    assert rendered.title.encode() in pdf


def test_the_same_document_prints_as_the_same_bytes() -> None:
    assert to_pdf(document("sla", "de")) == to_pdf(document("sla", "de"))
    assert to_pdf(document("sla", "de")) != to_pdf(document("sla", "en"))


def test_what_the_fonts_do_not_hold_is_printed_as_its_code_point() -> None:
    assert printable("Bäckerei 🥐 & Söhne „Łódź“ 5 €") == "Bäckerei [U+1F950] & Söhne „Łódź“ 5 €"


def test_the_print_holds_the_clauses_the_version_and_the_digest(tmp_path: Path) -> None:
    rendered = document("terms", "de", 'Müller #panic("x") *& Söhne*')
    file = tmp_path / "terms.pdf"

    file.write_bytes(to_pdf(rendered))

    words = _words(file)
    if words is not None:
        assert rendered.sha256 in words
        assert "Fassung 2026-11" in words
        assert 'Müller #panic("x") *& Söhne*' in words
        assert "Seite 1 / " in words
    assert len(rendered.clauses) > 30


def _words(file: Path) -> str | None:
    """The words of a PDF where poppler is installed, else None."""
    program = shutil.which("pdftotext")
    if program is None:
        return None
    return subprocess.run([program, "-layout", str(file), "-"], check=True, capture_output=True, text=True).stdout
