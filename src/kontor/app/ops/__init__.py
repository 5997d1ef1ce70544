"""The operator's API and pages, behind an operator's login with a second factor."""

from typing import Final

from fastapi import APIRouter

from kontor.app.ops import budgets, instances, policy, tenants, usage

ROUTERS: Final[tuple[APIRouter, ...]] = (
    budgets.router,
    instances.router,
    policy.router,
    tenants.router,
    usage.router,
)
