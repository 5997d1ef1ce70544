"""The portal's addresses: forms in, use cases called, views out. Every POST ends in a redirect or in its own form."""

from typing import Final

from fastapi import APIRouter

from kontor.app.portal.routes import assistant, onboarding, public

ROUTERS: Final[tuple[APIRouter, ...]] = (public.router, onboarding.router, assistant.router)
