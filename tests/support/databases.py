"""Databases of tests: the roles' URLs, statements of the superuser, one database that is emptied after each test."""

import base64
from typing import Final
from uuid import uuid4

import asyncpg
from sqlalchemy.engine import make_url

from kontor.core import postgres
from kontor.core.postgres import DatabaseUrls

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


def roles_of(owner_url: str) -> DatabaseUrls:
    """The roles' URLs, with passwords of the tests' master key."""
    key = base64.b64decode(MASTER_KEY)
    return DatabaseUrls(
        owner=owner_url,
        app=postgres.role_url(owner_url, "kontor_app", key),
        system=postgres.role_url(owner_url, "kontor_system", key),
        gateway=postgres.role_url(owner_url, "kontor_gateway", key),
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


# Everything that a statement of DDL could change: tables, columns, rules, policies, functions, rights.
_SHAPE: Final = """
SELECT md5(concat_ws('|',
  (SELECT string_agg(concat(oid, relkind, relrowsecurity, relforcerowsecurity, relowner, relacl), ',' ORDER BY oid)
     FROM pg_class WHERE relnamespace = 'public'::regnamespace),
  (SELECT string_agg(concat(attrelid, attname, attnotnull, atthasdef, attacl), ',' ORDER BY attrelid, attnum)
     FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace),
  (SELECT string_agg(concat(oid, conname, convalidated), ',' ORDER BY oid) FROM pg_constraint),
  (SELECT string_agg(concat(oid, polname), ',' ORDER BY oid) FROM pg_policy),
  (SELECT string_agg(concat(oid, tgname, tgenabled), ',' ORDER BY oid) FROM pg_trigger),
  (SELECT string_agg(concat(oid, proname, proacl), ',' ORDER BY oid)
     FROM pg_proc WHERE pronamespace = 'public'::regnamespace)))
"""
_OTHERS_GO: Final = """
SELECT bool_and(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_EMPTY: Final = """
DO $$
DECLARE one record; is_used boolean;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR one IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', one.name) INTO is_used;
    IF is_used THEN EXECUTE format('DELETE FROM public.%I', one.name); END IF;
  END LOOP;
  FOR one IN SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public' LOOP
    PERFORM setval(format('public.%I', one.name), 1, false);
  END LOOP;
END $$
"""


class TestDatabase:
    """A migrated, empty database of one test after the other: emptied in a tenth of the time that a new one takes.

    A test that changed more than rows gets it thrown away.
    """

    __test__ = False

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url = server_url
        self._template = template
        self._name: str | None = None
        self._shape = ""

    async def take(self) -> str:
        """Its superuser's URL."""
        if self._name is None:
            self._name = f"t_{uuid4().hex}"
            await sql(self._server_url, f"CREATE DATABASE {self._name} TEMPLATE {self._template} STRATEGY FILE_COPY")
            self._shape = await self._value(_SHAPE)
        return in_database(self._server_url, self._name)

    async def give_back(self) -> None:
        """Nobody is connected to it, and it is empty, or it is gone."""
        assert self._name is not None
        if await self._is_emptied():
            return
        name, self._name = self._name, None
        await sql(self._server_url, f"DROP DATABASE {name} WITH (FORCE)")

    async def _is_emptied(self) -> bool:
        try:
            connection = await asyncpg.connect(in_database(self._server_url, self._name or ""))
        except (asyncpg.PostgresError, OSError):
            return False
        try:
            await connection.execute(_OTHERS_GO)
            if await connection.fetchval(_SHAPE) != self._shape:
                return False
            await connection.execute(_EMPTY)
        except (asyncpg.PostgresError, OSError):
            return False
        finally:
            await connection.close()
        return True

    async def _value(self, query: str) -> str:
        connection = await asyncpg.connect(in_database(self._server_url, self._name or ""))
        try:
            return str(await connection.fetchval(query))
        finally:
            await connection.close()
