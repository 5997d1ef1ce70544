"""The API process: REST, portal and operator pages in one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from kontor.app import api, ops
from kontor.app.container import Container
from kontor.app.http import errors, health, openapi
from kontor.app.http.middleware import BodyLimit, RequestContext, SameOrigin
from kontor.app.portal import routes as portal
from kontor.app.portal.assets import STATIC
from kontor.app.portal.render import all_pages
from kontor.app.portal.routes import failures
from kontor.app.reactions import reactions
from kontor.core import telemetry
from kontor.core.events import subscribers
from kontor.core.settings import Settings

DRAIN_S: Final = 30
DESCRIPTION: Final = (
    "Sign up a company, accept its contracts, talk to its assistant, see every token, take all data along and leave. "
    "Every refusal is `application/problem+json` with a stable `code`. A POST that creates honours `Idempotency-Key`. "
    "Times are UTC. Messages follow `Accept-Language` (de, en)."
)


def create_app(container: Container) -> FastAPI:
    """The application over a container; closes it at its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await container.close()

    app = FastAPI(
        title="Kontor",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.container = container
    container.database.subscribe(subscribers(reactions(container)))
    pages = all_pages()
    app.state.pages = pages
    errors.install(app, failures.drawn(pages, container))
    failures.install(app)
    app.include_router(health.router)
    for router in (*api.ROUTERS, *ops.ROUTERS, *portal.ROUTERS):
        app.include_router(router)
    openapi.install(app)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    settings = container.settings
    app.add_middleware(BodyLimit)
    app.add_middleware(SameOrigin, base_url=settings.base_url)
    app.add_middleware(RequestContext, trusted_proxies=settings.trusted_proxies, base_url=settings.base_url)
    return app


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT; running requests end first, for at most DRAIN_S."""
    telemetry.configure(settings.log_format)
    config = uvicorn.Config(
        create_app(Container(settings)),
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    uvicorn.Server(config).run()
