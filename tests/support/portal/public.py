"""Samples of the pages before a login."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from markupsafe import Markup

from kontor.app.portal.frame import Form, Frame, Notice
from kontor.app.portal.render import View
from kontor.app.portal.views import public
from kontor.billing.plans import load
from kontor.core.i18n import Lang, Text
from support.portal.frames import WRONG, visitor


def samples(lang: Lang) -> Iterator[tuple[str, View, Frame]]:
    f = visitor(lang)
    yield "landing", public.Landing(load()), f
    yield "sign-up-wrong", public.SignUpPage(WRONG), f
    yield "check-mail", public.CheckMail("jörg@müller.example", "verify", "http://127.0.0.1:8083/"), f
    yield "check-mail-reset", public.CheckMail("jörg@müller.example", "reset"), f
    yield "verify", public.Verify("A" * 32), f
    yield "verify-expired", public.Verify("", "Er ist abgelaufen oder wurde schon benutzt."), f
    yield "login", public.LoginPage(), replace(f, notices=(Notice("good", "Ihr Passwort ist geändert."),))
    yield "login-wrong", public.LoginPage(Form({"email": "a@b.example"}, {}, "Adresse oder Passwort stimmt nicht.")), f
    yield "totp", public.TotpPage(), f
    yield "forgot", public.Forgot(), f
    yield "reset", public.Reset("A" * 32), f
    yield (
        "invitation",
        public.InvitationPage("A" * 32, "Tischlerei Brandt GmbH", "admin", "jo@brandt.example", needs_password=True),
        f,
    )
    address = ("Musterstraße 1", "70173 Stuttgart", "Deutschland")
    yield (
        "imprint",
        public.Imprint(
            "NextGen IT Solutions GmbH",
            address,
            "die Geschäftsführung",
            "Amtsgericht Stuttgart, HRB 000000",
            ("DE000000000",),
            "kontakt@kontor.example",
            "+49 711 0000000",
        ),
        f,
    )
    yield (
        "privacy",
        public.Privacy(
            "NextGen IT Solutions GmbH",
            address,
            "kontakt@kontor.example",
            "Datenschutzbeauftragte",
            "datenschutz@kontor.example",
        ),
        f,
    )
    yield "terms", public.Terms("AGB", "2026-11", Markup("<h1>AGB</h1><p>1.1 Text.</p>")), f
    both = Text(de="Deutschland", en="Germany")
    yield (
        "sub-processors",
        public.SubProcessors(
            date(2026, 11, 22),
            (public.SubProcessor("Hetzner Online GmbH", both, both, Text(de="Server", en="Servers"), both),),
        ),
        f,
    )
    for status in (400, 401, 403, 404, 409, 413, 429, 500, 503):
        yield (
            f"error-{status}",
            public.Failure(status, None, "req_01h455vb4pex5vsknk084sn02q", 42 if status == 429 else None),
            f,
        )
