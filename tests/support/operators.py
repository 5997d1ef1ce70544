"""Operators with a login whose second factor is proven."""

import httpx
import pyotp

from kontor.app.container import Container
from kontor.tenants.people import operators
from kontor.tenants.people.model import OperatorRole
from kontor.tenants.people.operators import NewOperator
from support.web import PASSWORD, Web


async def an_operator(container: Container, role: OperatorRole = OperatorRole.OPERATOR) -> NewOperator:
    """One of the operator's staff, by the role in its address."""
    return await operators.add(
        container.database, container.passwords, email=f"{role}@operator.example", password=PASSWORD, role=role
    )


async def operator_login(web: Web, client: httpx.AsyncClient, role: OperatorRole = OperatorRole.OPERATOR) -> None:
    """The visitor is logged in as one of the operator's staff."""
    container = web.container
    made = await an_operator(container, role)
    logged_in = await client.post("/api/v1/sessions", json={"email": f"{role}@operator.example", "password": PASSWORD})
    assert logged_in.status_code == 200, logged_in.text
    code = pyotp.TOTP(made.totp_secret).at(container.clock.now())
    proven = await client.post("/api/v1/sessions/current/second-factor", json={"code": code})
    assert proven.status_code == 204, proven.text
