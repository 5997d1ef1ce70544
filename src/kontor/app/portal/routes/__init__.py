"""The portal's addresses: forms in, use cases called, views out. Every POST ends in a redirect or in its own form."""

from typing import Final

from fastapi import APIRouter

from kontor.app.portal.routes import (
    account,
    assistant,
    company,
    content_log,
    conversations,
    gateway_keys,
    home,
    leaving,
    numbers,
    onboarding,
    ops,
    policy,
    public,
    team,
    turn_limits,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    public.router,
    onboarding.router,
    home.router,
    assistant.router,
    conversations.router,
    numbers.router,
    policy.router,
    team.router,
    turn_limits.router,
    gateway_keys.router,
    company.router,
    content_log.router,
    leaving.router,
    account.router,
    ops.router,
)
