"""The two doors of the outbox, in one process: SMTP to put in, HTTP to look."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kontor.app.outbox.store import Mail, MailFolder, received
from kontor.core.clock import BERLIN, SystemClock
from kontor.core.i18n import Text, negotiate
from kontor.core.settings import Settings

HOST: Final = "127.0.0.1"
SIZE_LIMIT_BYTES: Final = 25 * 1024 * 1024
MOST: Final = 1000
NO_MAIL: Final = "There is no such mail."
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


def _web(mails: MailFolder) -> Starlette:
    doors = _Doors(mails)
    return Starlette(
        routes=[
            Route("/", doors.list_page),
            Route("/mails/{mail}", doors.mail_page),
            Route("/mails/{mail}/file", doors.file),
            Route("/clear", doors.clear, methods=["POST"]),
            Route("/api/mails", doors.list_json),
            Route("/api/mails/{mail}", doors.mail_json),
            Route("/healthz", doors.healthz),
        ],
        # A page of the internet that lets its name point to 127.0.0.1 gets nothing.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost", "[::1]"])],
    )


class _Doors:
    """Pages for people, JSON for machines."""

    def __init__(self, mails: MailFolder) -> None:
        self._mails = mails
        self._pages = Environment(
            loader=PackageLoader("kontor.app.outbox"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )

    def list_page(self, request: Request) -> Response:
        """The newest mails, to one address if asked."""
        to = request.query_params.get("to", "")
        entries = [(entry, _clock_time(received(entry))) for entry in self._mails.entries(to.strip() or None, 200)]
        return self._page(request, "list.html", entries=entries, to=to)

    def mail_page(self, request: Request) -> Response:
        """One mail to read."""
        found = self._found(request)
        return self._page(request, "mail.html", mail=found, at=_clock_time(received(found)))

    def file(self, request: Request) -> Response:
        """One mail as it came."""
        mail = str(request.path_params["mail"])
        raw = self._mails.raw(mail)
        if raw is None:
            raise HTTPException(404, NO_MAIL)
        disposition = f'attachment; filename="{mail}.eml"'
        return Response(raw, media_type="message/rfc822", headers={"Content-Disposition": disposition})

    def clear(self, request: Request) -> Response:
        """All mails are gone, when our own page asks."""
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise HTTPException(403, "Only the outbox's own page may do that.")
        self._mails.clear()
        return RedirectResponse("/", status_code=303)

    def list_json(self, request: Request) -> Response:
        """As list_page."""
        limit = request.query_params.get("limit", "100")
        if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit[:9]) <= MOST):
            raise HTTPException(422, f"`limit` is a number from 1 to {MOST}.")
        entries = self._mails.entries(request.query_params.get("to"), int(limit))
        return JSONResponse({"mails": [asdict(entry) for entry in entries]})

    def mail_json(self, request: Request) -> Response:
        """As mail_page."""
        return JSONResponse(asdict(self._found(request)))

    def healthz(self, _: Request) -> Response:
        """The process runs."""
        return JSONResponse({"status": "ok"})

    def _found(self, request: Request) -> Mail:
        found = self._mails.mail(str(request.path_params["mail"]))
        if found is None:
            raise HTTPException(404, NO_MAIL)
        return found

    def _page(self, request: Request, name: str, **values: object) -> Response:
        lang = negotiate(request.headers.get("accept-language"))
        words = {key: text(lang) for key, text in WORDS.items()}
        html = self._pages.get_template(name).render(lang=lang, w=words, **values)
        return HTMLResponse(html, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-store"})


def _clock_time(at: datetime | None) -> str:
    return at.astimezone(BERLIN).strftime("%d.%m.%Y %H:%M:%S") if at else ""
