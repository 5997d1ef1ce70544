"""Refusals for whoever looks with a browser: the same problem, as a page that says what to do."""

from collections.abc import Callable
from urllib.parse import quote

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from kontor.app.container import Container
from kontor.app.http.errors import lang_of
from kontor.app.portal.frame import Frame
from kontor.app.portal.render import Pages
from kontor.app.portal.routes.page import CompanyFirst, LoginFirst, SecondFactorFirst, to, to_login
from kontor.app.portal.views.public import Failure
from kontor.tenants.sellers import DEFAULT_SELLER


def drawn(pages: Pages, container: Container) -> Callable[[Request, JSONResponse], Response]:
    """A page outside the API, where a browser asks for one; else the problem as it is."""

    def shown(request: Request, response: JSONResponse) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
        if not wants_page:
            return response
        said = orjson.loads(bytes(response.body))
        seller = container.sellers.of(DEFAULT_SELLER).legal_name
        frame = Frame(lang=lang_of(request), path=request.url.path, seller=seller)
        return pages.response(
            Failure(response.status_code, said["detail"], said.get("instance")), frame, response.status_code
        )

    return shown


def install(app: FastAPI) -> None:
    """Who is not logged in is sent to the login, and comes back; who has no company, to where one is made."""

    async def login_first(_: Request, error: Exception) -> Response:
        assert isinstance(error, LoginFirst)  # noqa: S101 - registered for this class
        return to_login(error.path)

    async def second_factor_first(_: Request, error: Exception) -> Response:
        assert isinstance(error, SecondFactorFirst)  # noqa: S101 - registered for this class
        return to(f"/login/totp?next={quote(error.path, safe='/')}")

    async def company_first(_: Request, __: Exception) -> Response:
        return to("/onboarding/company")

    app.add_exception_handler(LoginFirst, login_first)
    app.add_exception_handler(SecondFactorFirst, second_factor_first)
    app.add_exception_handler(CompanyFirst, company_first)
