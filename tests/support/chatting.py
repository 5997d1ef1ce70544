"""The API on a real socket, a company whose assistant is scripted, and the clients that talk to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from openai import AsyncOpenAI, OpenAI

from kontor.app.container import Container
from kontor.app.main import create_app
from kontor.core.ids import PREFIXES, TenantId, decode
from kontor.tenants.talk.ask import Desk
from support.serving import served
from support.talking import IMPATIENT, ScriptedInstance, ready_assistant
from support.web import Web


class Chat:
    """One company. `owner` is its owner's browser; `key` opens the chat."""

    def __init__(self, web: Web, owner: httpx.AsyncClient, url: str, instance: ScriptedInstance) -> None:
        self.web = web
        self.owner = owner
        self.url = url
        self.instance = instance
        self.key = ""
        self.tenant: TenantId

    async def open(self) -> "Chat":
        company = await self.web.active(self.owner, "ada@example.org")
        self.tenant = TenantId(decode(PREFIXES["tenant"], str(company["id"])))
        self.key = await self.new_key("chat")
        return self

    async def new_key(self, *scopes: str) -> str:
        """The secret of another key."""
        made = await self.owner.post("/api/v1/api-keys", json={"name": "Shop", "scopes": list(scopes)})
        assert made.status_code == 201, made.text
        return str(made.json()["secret"])

    async def assistant_at(self, url: str) -> None:
        await ready_assistant(self.web.container.database, self.tenant, url)

    def openai(self, **options: Any) -> AsyncOpenAI:
        """The official client."""
        return AsyncOpenAI(base_url=f"{self.url}/api/v1", api_key=self.key, max_retries=0, timeout=30, **options)

    def openai_sync(self, **options: Any) -> OpenAI:
        """The official client without asyncio."""
        return OpenAI(base_url=f"{self.url}/api/v1", api_key=self.key, max_retries=0, timeout=30, **options)

    @asynccontextmanager
    async def program(self, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A program of the company's own."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30) as client:
            yield client

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        """A raw request to the chat route."""
        async with self.program() as client:
            content = {"content": body} if isinstance(body, bytes) else {"json": body}
            return await client.post("/api/v1/chat/completions", headers=headers, **content)


@asynccontextmanager
async def a_chat(web: Web, *, has_assistant: bool = True) -> AsyncIterator[Chat]:
    """A company on the test's database, served by a second container as by a second process."""
    instance = ScriptedInstance()
    container = Container(web.container.settings, web.container.clock)
    container.desk = Desk(container.database, container.sellers, container.desk.http, IMPATIENT)
    with served(instance.app) as instance_url, served(create_app(container)) as url:
        async with web.client() as owner:
            made = await Chat(web, owner, url, instance).open()
            if has_assistant:
                await made.assistant_at(instance_url)
            yield made


def asks(text: Any, **more: Any) -> dict[str, Any]:
    """A request's body."""
    return {"model": "assistant", "messages": [{"role": "user", "content": text}], **more}
