"""Roles and schema: a database that the processes can use, made by one command and safe to repeat.

The migrations run as `kontor_owner`; whoever is behind DATABASE_URL must be able to create roles once (a superuser
or a role with CREATEROLE that owns the database).
"""

import asyncio
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from kontor.core import roles
from kontor.core.db import async_url
from kontor.core.errors import Unavailable
from kontor.core.i18n import Text
from kontor.core.postgres import DatabaseUrls, is_outage

MIGRATIONS: Final = Path(__file__).resolve().parents[3] / "migrations"
_ROLES_LOCK: Final = 0x6B6F6E746F72


def migrate(urls: DatabaseUrls, revision: str = "head") -> None:
    """The schema is at `revision` and each role can log in. Processes of the version before may be running.

    Raises Unavailable.
    """
    asyncio.run(migrate_async(urls, revision))


async def migrate_async(urls: DatabaseUrls, revision: str = "head") -> None:
    """As migrate, inside a running loop."""
    await ensure_roles(urls)
    engine = create_async_engine(async_url(urls.owner))
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SET ROLE {roles.OWNER}"))
            await connection.commit()
            await connection.run_sync(_upgrade, revision)
    finally:
        await engine.dispose()


async def ensure_roles(urls: DatabaseUrls) -> None:
    """The four roles exist with their passwords, and the owner may build in this database. Raises Unavailable."""
    connection = await _connect(urls.owner)
    try:
        # Several databases of one server share the roles: two migrations at once must not meet.
        await connection.execute("SELECT pg_advisory_lock($1)", _ROLES_LOCK)
        for role, url in ((roles.APP, urls.app), (roles.SYSTEM, urls.system), (roles.GATEWAY, urls.gateway)):
            await _ensure_role(connection, role, f"LOGIN PASSWORD '{make_url(url).password}'")
        await _ensure_role(connection, roles.OWNER, "NOLOGIN")
        me = await connection.fetchval("SELECT quote_ident(current_user)")
        await connection.execute(f"GRANT {roles.OWNER} TO {me}")
        await connection.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {roles.OWNER}")
        for role in roles.ROLES[1:]:
            await connection.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    finally:
        await connection.close()


async def _connect(url: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(url)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        is_login = isinstance(error, asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InvalidCatalogNameError)
        if isinstance(error, asyncpg.PostgresError) and not (is_login or is_outage(error)):
            raise
        at = make_url(url)
        raise Unavailable(
            "database.not_connected",
            Text(
                de=f"Keine Verbindung zur Datenbank {at.database} auf {at.host}: {error}. Prüfen Sie DATABASE_URL.",
                en=f"No connection to database {at.database} on {at.host}: {error}. Check DATABASE_URL.",
            ),
        ) from error


async def _ensure_role(connection: asyncpg.Connection, role: str, attributes: str) -> None:
    exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    await connection.execute(f"{verb} ROLE {role} WITH {attributes}")


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def _upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(config(connection), revision)
