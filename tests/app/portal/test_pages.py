"""Every page of the portal: in both languages, nothing inline or foreign in it, hostile content made harmless."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import Environment, nodes

from kontor.app.portal import stylesheet
from kontor.app.portal.frame import Form, Notice
from kontor.app.portal.render import POLICY, TEMPLATES, Pages
from kontor.app.portal.views import assistant, company, public
from kontor.core.i18n import Lang
from support.portal import pages
from support.portal.assistant import DISCLOSURE, SAID
from support.portal.frames import AT, member, visitor

NAMES = sorted(pages("de"))
LANGS: tuple[Lang, ...] = ("de", "en")
FRAGMENTS = {"onboarding-part", "onboarding-quote", "conversation-part", "exports-part", "ops-tenants-part"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }} Ünï 🎉"
# Words that are the same in both languages, or an example.
SAME = {"Kontor", "DE", "EN", "Pilot", "CSV", "PDF", "ZIP", "SHA-256", "Tokens", "Deutsch", "English", "k", "s"}
SAME |= {"aria-describedby", "aria-invalid", "true", "hint", "error"}  # attributes that a macro writes
SPOKEN = {"aria-label", "title", "placeholder", "alt"}


@pytest.fixture(scope="session")
def portal() -> Pages:
    stylesheet.build()
    return Pages()


class Seen(HTMLParser):
    """Tags with their attributes, and the words between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self._inside != "pre":
            self.words.append(data)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_page_holds_nothing_inline_and_nothing_foreign(portal: Pages, name: str, lang: Lang) -> None:
    seen = Seen(portal.html(*pages(lang)[name]))

    for tag, attributes in seen.tags:
        assert tag not in {"style", "iframe", "base"}, name
        assert "style" not in attributes, (name, tag)
        assert not [key for key in attributes if key.startswith("on")], (name, tag)
        assert tag != "script" or attributes.get("src", "").startswith("/static/"), name
        for address in (
            attributes.get(key, "") for key in ("src", "href", "action", "formaction", "hx-get", "hx-post")
        ):
            allowed = ("/", "#", "mailto:", "http://127.0.0.1:8083/")  # the outbox of one machine
            assert not address or address.startswith(allowed), (name, address)
            assert not address.startswith("//"), (name, address)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", sorted(set(NAMES) - FRAGMENTS))
def test_a_page_can_be_read_by_a_screen_reader(portal: Pages, name: str, lang: Lang) -> None:
    html = portal.html(*pages(lang)[name])
    tags = Seen(html).tags

    assert ("html", {"lang": lang}) in tags
    headings = [tag for tag, attributes in tags if tag == "h1" or attributes.get("aria-level") == "1"]
    assert len(headings) == 1, name
    ids = [attributes["id"] for _, attributes in tags if attributes.get("id") and attributes["id"] != "gegenstand"]
    assert len(ids) == len(set(ids)), (name, [i for i in ids if ids.count(i) > 1])
    labelled = {attributes["for"] for tag, attributes in tags if tag == "label" and "for" in attributes}
    for tag, attributes in tags:
        is_field = tag in {"textarea", "select"} or (
            tag == "input" and attributes.get("type") not in {"hidden", "radio"} and "hidden" not in attributes
        )
        in_label = attributes.get("type") == "checkbox" and "id" not in attributes
        assert not is_field or in_label or attributes.get("id") in labelled, (name, attributes)
        for reference in attributes.get("aria-describedby", "").split():
            assert reference in ids, (name, reference)
    assert "content" in ids


@pytest.mark.parametrize("lang", LANGS)
def test_what_customers_typed_stays_text(portal: Pages, lang: Lang) -> None:
    said = (replace(SAID[0], text=HOSTILE), replace(SAID[4], text=HOSTILE, author=HOSTILE))
    imprints = assistant.Imprints(HOSTILE, HOSTILE, HOSTILE)
    frame = replace(member(lang, name=HOSTILE), notices=(Notice("bad", HOSTILE),), path=HOSTILE)
    wrong = Form({"email": HOSTILE, "name": HOSTILE}, {"email": HOSTILE, "name": HOSTILE}, HOSTILE)
    views = (
        assistant.ChatPage(HOSTILE, "ready", HOSTILE, said, DISCLOSURE, imprints, draft=HOSTILE),
        assistant.ConversationPage("cnv_1", HOSTILE, HOSTILE, "waiting", AT, said, may_answer=True),
        company.Leave(HOSTILE, has_export=True, conversations=1, members=1, form=wrong),
        company.Keys((company.KeyRow("k", HOSTILE, HOSTILE, (HOSTILE,), AT, None, None, None),), (), HOSTILE, HOSTILE),
        public.CheckMail(HOSTILE, "verify"),
        public.InvitationPage("A" * 32, HOSTILE, "admin", HOSTILE, needs_password=True, form=wrong),
    )

    for view in views:
        html = portal.html(view, frame)

        assert "<script>alert" not in html
        assert not [tag for tag, _ in Seen(html).tags if tag == "img"]
        assert "{{ 7 * 7 }}" in html
        assert "Ünï 🎉" in html


def test_the_answer_forbids_what_the_page_does_not_need(portal: Pages) -> None:
    answer = portal.response(public.Failure(404), visitor("en"), 404)

    assert answer.status_code == 404
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["content-language"] == "en"
    assert answer.headers["cache-control"] == "no-store"


def test_an_error_stands_beside_its_field(portal: Pages) -> None:
    form = Form({"email": "kein-at"}, {"email": "Das ist keine E-Mail-Adresse."})

    html = portal.html(public.SignUpPage(form), visitor())

    assert 'aria-invalid="true"' in html
    assert re.search(r'role="alert" id="email-error">Das ist keine E-Mail-Adresse', html)
    assert 'value="kein-at"' in html


def test_a_password_is_never_sent_back(portal: Pages) -> None:
    form = Form({"email": "a@b.example", "password": "korrekt pferd batterie"}, {"password": "Zu kurz."})

    html = portal.html(public.SignUpPage(form), visitor())

    assert "korrekt pferd" not in html


def test_a_viewer_sees_no_door_that_is_closed_to_it(portal: Pages) -> None:
    of_owner = portal.html(*pages("de")["members"])
    of_viewer = portal.html(*pages("de")["members-viewer"])

    assert 'action="/members/invite"' in of_owner
    assert 'action="/members/invite"' not in of_viewer


@pytest.mark.parametrize("file", sorted(TEMPLATES.rglob("*.html")), ids=lambda file: str(file.relative_to(TEMPLATES)))
def test_every_word_of_a_template_is_said_in_both_languages(file: Path) -> None:
    source = file.read_text(encoding="utf-8")

    for call in Environment(autoescape=True).parse(source).find_all(nodes.Call):
        if not (isinstance(call.node, nodes.Name) and call.node.name in {"t", "tm"}):
            continue
        texts = [arg.value for arg in call.args if isinstance(arg, nodes.Const)]
        assert len(texts) == 2, (call.lineno, texts)
        assert all(text.strip() for text in texts), call.lineno
        places = [{name for _, name, _, _ in Formatter().parse(text) if name} for text in texts]
        assert places[0] == places[1] == {keyword.key for keyword in call.kwargs}, (call.lineno, texts)

    seen = Seen(re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL))
    spoken = [value for _, attributes in seen.tags for key, value in attributes.items() if key in SPOKEN]
    words = {word for text in (*seen.words, *spoken) for word in re.findall(r"[^\W\d_][\w-]*", text)}
    assert words <= SAME, words - SAME
