"""The operator's API and pages, behind an operator's login with a second factor."""

from typing import Final

from fastapi import APIRouter

ROUTERS: Final[tuple[APIRouter, ...]] = ()
