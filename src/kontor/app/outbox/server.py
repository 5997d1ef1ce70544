"""The two doors of the outbox, in one process: SMTP to put in, HTTP to look."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Final, NoReturn
from urllib.parse import urlsplit

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.middleware.trustedhost import TrustedHostMiddleware

from kontor.app.outbox.store import MailFolder, received
from kontor.core.clock import BERLIN, SystemClock
from kontor.core.i18n import Text, negotiate
from kontor.core.settings import Settings

HOST: Final = "127.0.0.1"
SIZE_LIMIT_BYTES: Final = 25 * 1024 * 1024
# A mail's own styles and inline pictures are shown; it runs nothing and asks nobody for anything.
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
WORDS: Final = {
    "title": Text(de="Postausgang", en="Mail outbox"),
    "intro": Text(
        de="Alles, was Kontor auf diesem Rechner verschickt hätte. Keine dieser E-Mails hat ihn verlassen.",
        en="Everything that Kontor would have sent from this machine. None of these mails has left it.",
    ),
    "empty": Text(de="Noch keine E-Mail.", en="No mail yet."),
    "search": Text(de="Nur an diese Adresse", en="Only to this address"),
    "show": Text(de="Anzeigen", en="Show"),
    "clear": Text(de="Alle löschen", en="Delete all"),
    "back": Text(de="Alle E-Mails", en="All mails"),
    "from": Text(de="Von", en="From"),
    "to": Text(de="An", en="To"),
    "subject": Text(de="Betreff", en="Subject"),
    "received": Text(de="Eingang", en="Received"),
    "links": Text(de="Links in dieser E-Mail", en="Links in this mail"),
    "text": Text(de="Als Text", en="As text"),
    "file": Text(de="Als Datei (.eml)", en="As a file (.eml)"),
    "none": Text(de="ohne Betreff", en="no subject"),
}


class Outbox:
    """Both doors over one folder. `serve` runs until its task is cancelled."""

    def __init__(self, mails: MailFolder) -> None:
        self._mails = mails
        self.web = _web(mails)

    @asynccontextmanager
    async def receiving(self, port: int) -> AsyncIterator[int]:
        """SMTP is open on 127.0.0.1 at that port, at a free one for 0; gives the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._smtp, HOST, port)
        async with server:
            yield int(server.sockets[0].getsockname()[1])

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """A mail came: it is kept, whoever it is for."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mail = self._mails.keep(envelope.mail_from or "", [str(to) for to in envelope.rcpt_tos], content)
        return f"250 kept as {mail}"

    def _smtp(self) -> SMTP:
        return SMTP(self, data_size_limit=SIZE_LIMIT_BYTES, enable_SMTPUTF8=True, hostname="outbox.kontor.invalid")


def run_outbox(settings: Settings) -> None:
    """The outbox runs until SIGTERM or SIGINT. Mails: `<state>/outbox`; ports: outbox_port, and that of smtp_url."""
    outbox = Outbox(MailFolder(settings.state_dir / "outbox", SystemClock()))
    smtp_port = urlsplit(settings.smtp_url.get_secret_value()).port
    config = uvicorn.Config(outbox.web, host=HOST, port=settings.outbox_port, log_level="warning", access_log=False)

    async def serve() -> None:
        async with outbox.receiving(smtp_port or 25):
            await uvicorn.Server(config).serve()

    asyncio.run(serve())


def _web(mails: MailFolder) -> FastAPI:
    app = FastAPI(openapi_url=None)
    # A page of the internet that lets its name point to 127.0.0.1 gets nothing.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost", "[::1]"])
    _add_pages(app, mails)
    _add_json(app, mails)
    return app


def _add_pages(app: FastAPI, mails: MailFolder) -> None:
    pages = Environment(
        loader=PackageLoader("kontor.app.outbox"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )

    def page(name: str, accept_language: str | None, **values: object) -> HTMLResponse:
        lang = negotiate(accept_language)
        words = {key: text(lang) for key, text in WORDS.items()}
        html = pages.get_template(name).render(lang=lang, w=words, **values)
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})

    @app.get("/")
    def list_page(to: str = "", accept_language: Annotated[str | None, Header()] = None) -> HTMLResponse:
        entries = [(entry, _clock_time(received(entry))) for entry in mails.entries(to.strip() or None, 200)]
        return page("list.html", accept_language, entries=entries, to=to)

    @app.get("/mails/{mail}")
    def mail_page(mail: str, accept_language: Annotated[str | None, Header()] = None) -> HTMLResponse:
        found = mails.mail(mail) or _missing()
        return page("mail.html", accept_language, mail=found, at=_clock_time(received(found)))

    @app.get("/mails/{mail}/file")
    def file(mail: str) -> Response:
        raw = mails.raw(mail)
        if raw is None:
            _missing()
        disposition = f'attachment; filename="{mail}.eml"'
        return Response(raw, media_type="message/rfc822", headers={"Content-Disposition": disposition})

    @app.post("/clear")
    def clear(request: Request) -> RedirectResponse:
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise HTTPException(403, "Only the outbox's own page may do that.")
        mails.clear()
        return RedirectResponse("/", status_code=303)


def _add_json(app: FastAPI, mails: MailFolder) -> None:
    @app.get("/api/mails")
    def list_json(to: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> dict[str, object]:
        return {"mails": [asdict(entry) for entry in mails.entries(to, limit)]}

    @app.get("/api/mails/{mail}")
    def mail_json(mail: str) -> dict[str, object]:
        return asdict(mails.mail(mail) or _missing())

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}


def _missing() -> NoReturn:
    raise HTTPException(404, "There is no such mail.")


def _clock_time(at: datetime | None) -> str:
    return at.astimezone(BERLIN).strftime("%d.%m.%Y %H:%M:%S") if at else ""
