"""The database: one engine per role, and the unit of work in which everything happens.

Owns connections and transactions. A unit of work is opened at the edge, once per request or job; `uow` sees one
tenant's rows, `system_uow` is for login, schedules and operators, and a test lists its callers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
from sqlalchemy import DateTime, LargeBinary, MetaData, Uuid, event, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from kontor.core import tenancy
from kontor.core.clock import Clock
from kontor.core.crypto import Vault
from kontor.core.errors import Unavailable
from kontor.core.i18n import Text
from kontor.core.ids import TenantId
from kontor.core.postgres import DatabaseUrls, is_outage

CONNECTION_SETTINGS: Final = {
    "timezone": "UTC",
    "statement_timeout": "30000",
    "lock_timeout": "10000",
    "idle_in_transaction_session_timeout": "60000",
}


class Base(DeclarativeBase):
    """Root of every table of the product."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own name and form
        datetime: DateTime(timezone=True),
        UUID: Uuid(),
        bytes: LargeBinary(),
        dict[str, Any]: JSONB(),
    }


class Tx(AsyncSession):
    """A unit of work. `tenant` is None in a system one; `now` stands still for its duration."""

    tenant: TenantId | None
    now: datetime
    vault: Vault
    subscribers: "Subscribers"
    _before_commit: dict[str, Callable[["Tx"], Awaitable[None]]]

    def before_commit(self, name: str, act: Callable[["Tx"], Awaitable[None]]) -> None:
        """`act` runs last in the transaction, once per name."""
        self._before_commit.setdefault(name, act)

    async def driver(self) -> asyncpg.Connection:
        """The raw connection inside this transaction, for queue and bulk statements."""
        connection = await self.connection()
        raw = await connection.get_raw_connection()
        return raw.driver_connection


WITH_EVERY_CHANGE: Final[ContextVar[Callable[[Tx], Awaitable[None]] | None]] = ContextVar(
    "with_every_change", default=None
)
Subscribers = dict[type, tuple[str, ...]]


class Database:
    """Engines per role. `subscribers` names the jobs that each event type starts (see events)."""

    def __init__(
        self,
        roles: DatabaseUrls,
        clock: Clock,
        vault: Vault,
        subscribers: Subscribers | None = None,
        *,
        pool_size: int = 10,
    ) -> None:
        self.urls = roles
        self.clock = clock
        self.vault = vault
        self._subscribers = subscribers or {}
        self._app = _engine(roles.app, "kontor-app", pool_size)
        self._system = _engine(roles.system, "kontor-system", pool_size)

    @asynccontextmanager
    async def uow(self, tenant: TenantId) -> AsyncIterator[Tx]:
        """One tenant's unit of work: committed on leaving, rolled back on any error. Raises Unavailable."""
        async with self._open(self._app, tenant) as tx:
            yield tx

    @asynccontextmanager
    async def system_uow(self) -> AsyncIterator[Tx]:
        """A unit of work over all tenants, for login, schedules, jobs of the platform and operators."""
        async with self._open(self._system, None) as tx:
            yield tx

    def subscribe(self, subscribers: Subscribers) -> None:
        """From now on events start these jobs. Called once, by the container that also knows the reactions."""
        self._subscribers = subscribers

    async def ping(self) -> None:
        """Raises Unavailable when the database does not answer."""
        async with self.system_uow() as tx:
            await tx.execute(text("SELECT 1"))

    async def close(self) -> None:
        """All connections are closed."""
        await self._app.dispose()
        await self._system.dispose()

    @asynccontextmanager
    async def _open(self, engine: AsyncEngine, tenant: TenantId | None) -> AsyncIterator[Tx]:
        tx = Tx(engine, expire_on_commit=False, autoflush=True)
        tx.tenant, tx.now, tx.vault, tx.subscribers = tenant, self.clock.now(), self.vault, self._subscribers
        tx._before_commit = {}  # noqa: SLF001 - our own class, set where it is made
        mark = WITH_EVERY_CHANGE.get()
        if mark is not None:
            tx.before_commit("with-every-change", mark)
        try:
            async with tx:
                # Also begins the transaction: the driver sends BEGIN with the first statement.
                await tx.execute(
                    text("SELECT set_config(:name, :value, true)"),
                    {"name": tenancy.TENANT_SETTING, "value": str(tenant) if tenant else ""},
                )
                yield tx
                for act in list(tx._before_commit.values()):  # noqa: SLF001
                    await act(tx)
                await tx.commit()
        except (
            OperationalError,
            InterfaceError,
            ConnectionError,
            TimeoutError,
            asyncpg.PostgresConnectionError,
        ) as error:
            raise database_unavailable() from error
        except DBAPIError as error:
            if error.connection_invalidated or is_outage(error.orig):
                raise database_unavailable() from error
            raise


def database_unavailable() -> Unavailable:
    """The refusal while Postgres is away."""
    return Unavailable(
        "database.unavailable",
        Text(
            de="Der Dienst ist für einen Augenblick nicht erreichbar. Versuchen Sie es gleich noch einmal.",
            en="The service is unavailable for a moment. Please try again shortly.",
        ),
    )


def async_url(url: str) -> URL:
    """The URL with SQLAlchemy's driver name."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def _engine(url: str, name: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        async_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        connect_args={"timeout": 5, "server_settings": {**CONNECTION_SETTINGS, "application_name": name}},
    )
    # Instead of pool_pre_ping, which asks the server in a transaction of its own: three round trips per unit of work.
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: Any, *_: object) -> None:
    """The pool opens anew what the server has closed; the driver knows it from the socket."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
