"""The operator's API and pages, behind an operator's login with a second factor."""

from typing import Final

from fastapi import APIRouter

from kontor.app.ops import instances, policy, tenants

ROUTERS: Final[tuple[APIRouter, ...]] = (instances.router, policy.router, tenants.router)
