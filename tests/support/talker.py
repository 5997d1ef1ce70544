"""A company's program that talks to its assistant, and tells exactly how each answer ended."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from kontor.app.journey.customer import Customer

CHAT = "/api/v1/chat/completions"
ANSWER_WITHIN_S = 180.0


@dataclass
class Heard:
    """One answer. `problem` is a refusal or the error in a stream; `is_cut` says that the connection broke."""

    status: int | None = None
    text: str = ""
    pieces: int = 0
    is_done: bool = False
    is_cut: bool = False
    problem: dict[str, Any] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """An answer from its beginning to its end."""
        return self.status == 200 and self.is_done and not self.problem and bool(self.text)

    @property
    def is_clear(self) -> bool:
        """Whole, or with an error that has a code and a sentence."""
        return self.is_whole or bool(self.problem.get("code") and self.problem.get("detail"))


class Talker:
    """One end user of a company; each has a conversation of its own."""

    def __init__(self, url: str, customer: Customer) -> None:
        self._url = url
        self._headers = {"authorization": customer.program.headers["authorization"], "accept-language": "de"}
        self.name = f"kunde-{uuid4().hex[:8]}"

    async def say(self, text: str) -> Heard:
        """The answer in one piece."""
        async with self._client() as client:
            try:
                answer = await client.post(CHAT, json=self._body(text))
            except httpx.TransportError:
                return Heard(is_cut=True)
        if answer.status_code != 200:
            return Heard(answer.status_code, problem=answer.json())
        return Heard(200, answer.json()["choices"][0]["message"]["content"], 1, is_done=True)

    async def stream(self, text: str, *, then: Callable[[], Awaitable[None]], after: int = 3) -> Heard:
        """The answer as it came; `then` happened when so many pieces were there."""
        heard, has_happened = Heard(), False
        async with self._client() as client:
            try:
                async with client.stream("POST", CHAT, json={**self._body(text), "stream": True}) as answer:
                    heard.status = answer.status_code
                    async for line in answer.aiter_lines():
                        self._read(line, heard)
                        if heard.pieces >= after and not has_happened:
                            has_happened = True
                            await then()
            except httpx.TransportError:
                heard.is_cut = True
        return heard

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=httpx.Timeout(ANSWER_WITHIN_S), trust_env=False
        )

    def _body(self, text: str) -> dict[str, Any]:
        return {"model": "assistant", "user": self.name, "messages": [{"role": "user", "content": text}]}

    def _read(self, line: str, heard: Heard) -> None:
        if line == "data: [DONE]":
            heard.is_done = True
        elif line.startswith("data: "):
            chunk = json.loads(line.removeprefix("data: "))
            if error := chunk.get("error"):
                heard.problem = {"code": error.get("code"), "detail": error.get("message")}
            for choice in chunk.get("choices", []):
                if content := choice["delta"].get("content"):
                    heard.text += content
                    heard.pieces += 1


async def in_thread(act: Callable[..., object], *arguments: object) -> None:
    """Something that blocks, beside the loop."""
    await asyncio.to_thread(act, *arguments)
