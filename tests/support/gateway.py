"""A gateway as a process on a test's database, with tenants that have keys."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from openai import AsyncOpenAI

from kontor.billing.metering import gateway_keys
from kontor.billing.metering.journal import backlog
from kontor.billing.metering.price_book import load_shipped_prices
from kontor.core.clock import SystemClock
from kontor.core.crypto import FolderKeyStore, Vault
from kontor.core.db import Database
from kontor.core.ids import InstanceId, TenantId, new_id
from kontor.core.postgres import DatabaseUrls
from support.eventually import eventually
from support.processes import Process, free_port

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Assistant:
    """A tenant's instance and the key with which it calls models."""

    tenant: TenantId
    instance: InstanceId
    secret: str


class GatewayRig:
    """Starts and kills gateways; asks Postgres what they recorded of one assistant."""

    assistant: Assistant

    def __init__(self, urls: DatabaseUrls, model_url: str, folder: Path, gateway: Process | None = None) -> None:
        self.urls = urls
        self.folder = folder
        self.journal = folder / "journal"
        self._model_url = model_url
        vault = Vault(FolderKeyStore(folder / "keys"), base64.b64decode(MASTER_KEY))
        self.database = Database(urls, SystemClock(), vault, pool_size=3)
        self._started: list[Process] = []
        self._clients: list[AsyncOpenAI] = []
        self._gateway = gateway

    @property
    def gateway(self) -> Process:
        """The one that requests go to."""
        assert self._gateway is not None
        return self._gateway

    @gateway.setter
    def gateway(self, other: Process) -> None:
        self._gateway = other

    async def open(self) -> None:
        """A gateway runs, an assistant has a key, prices are known."""
        async with self.database.system_uow() as tx:
            await load_shipped_prices(tx)
        self.assistant = await self.add_assistant()
        if self._gateway is None:
            self.gateway = self.start_gateway()

    async def close(self) -> None:
        """Everything that was started here is stopped."""
        for client in self._clients:
            await client.close()
        for process in self._started:
            process.kill()
        await self.database.close()

    def start_gateway(self, **env: str) -> Process:
        """Another gateway on the same journal and database; settings by their environment names."""
        port = free_port()
        settings = {
            "DATABASE_URL": self.urls.owner,
            "KONTOR_DATABASE_GATEWAY_URL": self.urls.gateway,
            "KONTOR_MASTER_KEY": MASTER_KEY,
            "KONTOR_STATE_DIR": str(self.folder),
            "KONTOR_GATEWAY_PORT": str(port),
            "KONTOR_MODEL_PORT": self._model_url.rpartition(":")[2],
            "KONTOR_REQUESTS_PER_MINUTE": "1000000",
            "KONTOR_TOKENS_PER_MINUTE": "1000000000",
            "OPENAI_API_KEY": "",
            "OPENAI_BASE_URL": "",
        }
        log = self.folder / f"gateway-{port}.log"
        process = Process("kontor.app.gateway", settings | env, port, log).start()
        self._started.append(process)
        return process

    async def add_assistant(self, *, language: Any = "de", is_bound: bool = True) -> Assistant:
        """A new tenant with an instance and its key."""
        tenant, instance = TenantId(new_id()), InstanceId(new_id())
        async with self.database.system_uow() as tx:
            secret = await gateway_keys.issue_key(tx, instance)
            if is_bound:
                await gateway_keys.bind_key(tx, instance, tenant, language)
        return Assistant(tenant, instance, secret)

    def client(self, assistant: Assistant | None = None, **options: Any) -> AsyncOpenAI:
        """The official client with an assistant's key."""
        secret = (assistant or self.assistant).secret
        base_url = f"{self.gateway.url}/v1"
        client = AsyncOpenAI(base_url=base_url, api_key=secret, max_retries=0, timeout=60, **options)
        self._clients.append(client)
        return client

    async def post(self, body: Any, *, secret: str | None = None, **headers: str) -> httpx.Response:
        """A raw request to the chat route."""
        async with httpx.AsyncClient(timeout=60) as http:
            sent = {"authorization": f"Bearer {secret or self.assistant.secret}", **headers}
            url = f"{self.gateway.url}/v1/chat/completions"
            if isinstance(body, bytes):
                return await http.post(url, content=body, headers=sent)
            return await http.post(url, json=body, headers=sent)

    async def rows(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """A question to Postgres as its superuser."""
        connection = await asyncpg.connect(self.urls.owner)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    @asynccontextmanager
    async def without_postgres(self) -> AsyncIterator[None]:
        """Everybody but the superuser is locked out and the gateway's connections are cut, as in an outage."""
        [[name]] = await self.rows("SELECT quote_ident(current_database())")
        await self.rows(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        try:
            await self.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'kontor_gateway' AND datname = current_database()"
            )

            async def is_away() -> bool:
                async with httpx.AsyncClient() as http:
                    return (await http.get(f"{self.gateway.url}/readyz")).json()["postgres"] is False

            await eventually(is_away)
            yield
        finally:
            await self.rows(f"ALTER DATABASE {name} CONNECTION LIMIT -1")

    async def events(self, of: Assistant | None = None) -> list[asyncpg.Record]:
        """The assistant's usage events in the order of their calls, once the journal is empty."""

        async def is_empty() -> bool:
            return backlog(self.journal) == 0

        await eventually(is_empty, within_s=30, what="the journal is empty")
        return await self.of_tenant("usage_events", of)

    async def of_tenant(self, table: str, of: Assistant | None = None) -> list[asyncpg.Record]:
        """The assistant's rows of a table."""
        sql = f"SELECT * FROM {table} WHERE tenant_id = $1 ORDER BY 2, 3"  # noqa: S608 - a test's own name
        return await self.rows(sql, (of or self.assistant).tenant)


def chat(question: str, **more: Any) -> dict[str, Any]:
    """A request as an instance sends it."""
    return {"model": "assistant", "messages": [{"role": "user", "content": question}], **more}
