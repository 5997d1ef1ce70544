"""From a view and its frame to HTML, with the headers that every page has.

A template sees `v` (its view), `f` (the frame), the helpers of language.Words, and `asset(path)`.
"""

import secrets
from functools import cache
from pathlib import Path
from typing import ClassVar, Final, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from kontor.app.portal import assets
from kontor.app.portal.frame import OPS_NAV, REASON_NAMES, ROLE_HINTS, ROLE_NAMES, Frame
from kontor.app.portal.language import Words, below
from kontor.core.i18n import LANGS, Lang

TEMPLATES: Final = Path(__file__).parent / "templates"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {"content-security-policy": POLICY, "cache-control": "no-store", "vary": "Accept-Language, Cookie"}


class View(Protocol):
    """A page's content: a frozen dataclass that names its template."""

    template: ClassVar[str]


class Pages:
    """Renders views. One per process."""

    def __init__(self) -> None:
        """Raises assets.NotBuilt."""
        self._versions = assets.versions()
        self._environments = {lang: self._environment(lang) for lang in LANGS}

    def html(self, view: View, frame: Frame) -> str:
        """The whole page, or the fragment when the template is one."""
        return self._environments[frame.lang].get_template(view.template).render(v=view, f=frame)

    def response(self, view: View, frame: Frame, status: int = 200) -> HTMLResponse:
        """The page with its headers: never cached, nothing foreign, nothing inline."""
        return HTMLResponse(self.html(view, frame), status, {**HEADERS, "content-language": frame.lang})

    def asset(self, path: str) -> str:
        """The address of a static file; its version makes it cacheable for ever. Raises KeyError for an unknown one."""
        return f"/static/{path}?v={self._versions[path]}"

    def _environment(self, lang: Lang) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        words = Words(lang)
        names = ("t", "tm", "both", "count", "number", "percent", "money", "nano", "day", "time", "at", "month")
        helpers = {name: getattr(words, name) for name in (*names, "duration", "size")}
        environment.globals.update(
            helpers,
            lang=lang,
            asset=self.asset,
            fresh=lambda: secrets.token_urlsafe(16),
            ops_nav=OPS_NAV,
            role_names=ROLE_NAMES,
            role_hints=ROLE_HINTS,
            reason_names=REASON_NAMES,
        )
        environment.filters["below"] = below
        return environment


@cache
def all_pages() -> Pages:
    """The pages of this process: compiled once, whatever is made over them. Raises assets.NotBuilt."""
    return Pages()
