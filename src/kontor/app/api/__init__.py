"""The JSON API for tenants, `/api/v1`: parse, call, shape; no rule lives here."""

from typing import Final

from fastapi import APIRouter

from kontor.app.api import (
    access,
    assistant,
    audit,
    budget,
    chat,
    company,
    content_log,
    contracts,
    conversations,
    erasures,
    exports,
    gateway_keys,
    people,
    policy,
    sla,
    turn_limits,
    usage,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    access.router,
    assistant.router,
    audit.router,
    budget.router,
    chat.router,
    company.router,
    content_log.router,
    contracts.router,
    conversations.router,
    erasures.router,
    exports.router,
    gateway_keys.router,
    people.router,
    policy.router,
    sla.router,
    turn_limits.router,
    usage.router,
)
