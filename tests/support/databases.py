"""Databases of tests: the roles' URLs, and statements of the superuser."""

import base64

import asyncpg
from sqlalchemy.engine import make_url

from kontor.core import db
from kontor.core.db import DatabaseUrls

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


def roles_of(owner_url: str) -> DatabaseUrls:
    """The roles' URLs, with passwords of the tests' master key."""
    key = base64.b64decode(MASTER_KEY)
    return DatabaseUrls(
        owner=owner_url,
        app=db.role_url(owner_url, "kontor_app", key),
        system=db.role_url(owner_url, "kontor_system", key),
        gateway=db.role_url(owner_url, "kontor_gateway", key),
    )


def in_database(url: str, name: str) -> str:
    """The same server, another database."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def sql(url: str, statement: str) -> None:
    """One statement as the superuser, outside any transaction."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
