"""The chat route as the official OpenAI client and raw HTTP see it, on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import orjson
import pytest

from kontor.tenants.provisioning.runtime import Observed
from kontor.tenants.states import Phase
from support.chatting import Chat, a_chat, asks
from support.eventually import eventually
from support.talking import OPERATOR_NAME, set_instance
from support.web import COMPANY, Web

DISCLOSURE = (
    f"Sie kommunizieren mit einem KI-gestützten Assistenten von {COMPANY['legal_name']}. Dieser wird von der "
    f"{OPERATOR_NAME} betrieben. Bitte geben Sie keine sensiblen persönlichen Daten ein. Schreiben Sie MENSCH für "
    "einen menschlichen Mitarbeiter."
)

LONE_SURROGATE = b'{"model": "assistant", "messages": [{"role": "user", "content": "\\ud800"}]}'


@pytest.fixture
async def chat(web: Web) -> AsyncIterator[Chat]:
    async with a_chat(web) as made:
        yield made


async def test_the_official_client_is_answered_with_the_disclosure_first(chat: Chat) -> None:
    client = chat.openai_sync()

    def ask(text: str) -> Any:
        return client.chat.completions.create(
            model="assistant", messages=[{"role": "user", "content": text}], user="kunde-1"
        )

    first = await asyncio.to_thread(ask, "Grüß Gott 🦊 𠮷")
    second = await asyncio.to_thread(ask, "Und samstags?")
    client.close()

    assert first.object == "chat.completion"
    assert first.id.startswith("msg_")
    assert first.model == "assistant"
    assert first.choices[0].message.content == f"{DISCLOSURE}\n\nEcho: Grüß Gott 🦊 𠮷"
    assert first.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content == "Echo: Und samstags?"
    assert (second.usage.prompt_tokens, second.usage.completion_tokens, second.usage.total_tokens) == (7, 1, 8)


async def test_the_official_client_streams_with_the_disclosure_as_first_delta(chat: Chat) -> None:
    chat.instance.plan(words=["Wir ", "öffnen ", "um 7."])
    async with chat.openai() as client:
        stream = await client.chat.completions.create(
            model="assistant",
            messages=[{"role": "user", "content": "Wann?"}],
            user="kunde-1",
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]

    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert deltas[0].role == "assistant"
    assert [delta.content for delta in deltas] == [f"{DISCLOSURE}\n\n", "Wir ", "öffnen ", "um 7.", None]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 10


async def test_a_stream_ends_with_done_and_tells_usage_only_when_asked(chat: Chat) -> None:
    answer = await chat.post(asks("Hallo", stream=True))

    events = [line for line in answer.text.split("\n\n") if line.startswith("data: ")]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert events[-1] == "data: [DONE]"
    assert "usage" not in answer.text


async def test_without_a_user_the_conversation_comes_back_in_a_header_and_goes_on_with_it(chat: Chat) -> None:
    async with chat.openai() as client:
        raw = client.chat.completions.with_raw_response
        first = await raw.create(model="assistant", messages=[{"role": "user", "content": "Eins"}])
        conversation = first.headers["kontor-conversation"]
        second = await raw.create(
            model="assistant",
            messages=[{"role": "user", "content": "Zwei"}],
            extra_headers={"Kontor-Conversation": conversation},
        )
        third = await raw.create(model="assistant", messages=[{"role": "user", "content": "Drei"}])

    assert conversation.startswith("cnv_")
    assert second.headers["kontor-conversation"] == conversation
    assert second.parse().choices[0].message.content == "Echo: Zwei"
    assert third.headers["kontor-conversation"] != conversation


async def test_only_the_last_user_message_goes_on_whatever_history_comes_with_it(chat: Chat) -> None:
    history = [
        {"role": "system", "content": "Du bist ein Pirat."},
        {"role": "user", "content": "Alt"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": [{"type": "text", "text": "Neu"}, {"type": "text", "text": "und mehr"}]},
    ]

    answer = await chat.post({"model": "assistant", "messages": history})

    assert answer.status_code == 200
    assert chat.instance.asked[0]["messages"] == [{"role": "user", "content": "Neu\nund mehr"}]


async def test_a_parameter_that_does_not_go_on_is_refused_by_name(chat: Chat) -> None:
    refused: dict[str, tuple[str | None, str | None]] = {}
    async with chat.openai() as client:
        for more in (
            {"temperature": 0.5},
            {"tools": []},
            {"max_tokens": 5},
            {"n": 1},
            {"stream_options": {"include_usage": True}},
            {"stream": True, "stream_options": {"include_obfuscation": True}},
        ):
            with pytest.raises(openai.BadRequestError) as refusal:
                await client.chat.completions.create(**asks("Hallo"), extra_body=more)
            refused[str(refusal.value.param)] = (refusal.value.code, refusal.value.response.headers["content-type"])

    assert list(refused) == [
        "temperature",
        "tools",
        "max_tokens",
        "n",
        "stream_options",
        "stream_options.include_obfuscation",
    ]
    assert set(refused.values()) == {("chat.parameter_not_supported", "application/problem+json")}
    assert chat.instance.asked == []


@pytest.mark.parametrize(
    ("bodies", "code"),
    [
        ([asks("   "), asks(None), asks([])], "chat.message_empty"),
        ([asks("NUL \x00 mitten drin"), LONE_SURROGATE], "chat.message_unreadable"),
        ([asks("x" * 20_001)], "chat.message_too_long"),
        (
            [asks([{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}])],
            "chat.content_not_supported",
        ),
        ([{**asks("Hallo"), "model": "gpt-5"}, {**asks("Hallo"), "model": ""}], "chat.model_unknown"),
        ([{"model": "assistant", "messages": [{"role": "assistant", "content": "x"}]}], "chat.last_message_not_user"),
        ([{"model": "assistant", "messages": [{"role": "user", "name": "x"}]}], "chat.parameter_not_supported"),
        (
            [
                {"model": "assistant", "messages": []},
                {"model": "assistant"},
                asks("Hallo", user=""),
                asks("Hallo", user="a\x00b"),
                asks("Hallo", user="x" * 257),
                LONE_SURROGATE.replace(b"{", b'{"user": "\\ud800", ', 1),
                LONE_SURROGATE.replace(b'"\\ud800"', b'[{"type": "\\ud800"}]'),
                asks("Hallo", stream="vielleicht"),
                b"{",
                b"\xff",
                [],
            ],
            "chat.request_invalid",
        ),
    ],
)
async def test_what_cannot_be_taken_is_a_clear_400_for_people_and_clients(
    chat: Chat, bodies: list[Any], code: str
) -> None:
    for body in bodies:
        answer = await chat.post(body, **{"content-type": "application/json"})

        problem = answer.json()
        assert (answer.status_code, problem["status"], problem["code"]) == (400, 400, code), body
        assert problem["error"]["type"] == "invalid_request_error"
        assert problem["error"]["message"] == problem["detail"]
    assert chat.instance.asked == []


async def test_strangers_wrong_keys_and_keys_without_the_scope_are_refused_in_the_clients_terms(chat: Chat) -> None:
    read_only = await chat.new_key("read")
    async with chat.openai() as client:
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="kontor_wrong").chat.completions.create(**asks("Hallo"))
        with pytest.raises(openai.PermissionDeniedError):
            await client.with_options(api_key=read_only).chat.completions.create(**asks("Hallo"))
        answer = await client.chat.completions.create(**asks("Hallo"))

    assert answer.choices[0].message.content


async def test_a_conversation_of_another_key_is_not_found(chat: Chat) -> None:
    mine = (await chat.post(asks("Hallo"))).headers["kontor-conversation"]
    chat.key = await chat.new_key("chat")

    answer = await chat.post(asks("Hallo"), **{"kontor-conversation": mine})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_assistant_that_is_being_set_up_says_so_and_when_to_come_again(chat: Chat) -> None:
    await set_instance(chat.web.container.database, chat.tenant, Phase.PROVISIONING, Observed.STARTING)

    answer = await chat.post(asks("Hallo", stream=True), **{"accept-language": "de"})

    assert (answer.status_code, answer.json()["code"]) == (503, "assistant.preparing")
    assert answer.headers["retry-after"] == "5"
    assert "wird gerade eingerichtet" in answer.json()["detail"]


async def test_a_sleeping_assistant_is_waited_for_with_comments_that_clients_ignore(chat: Chat) -> None:
    database = chat.web.container.database
    await set_instance(database, chat.tenant, Phase.HIBERNATED, Observed.STOPPED)

    async with (
        chat.program() as client,
        client.stream("POST", "/api/v1/chat/completions", json=asks("Guten Morgen", stream=True)) as answer,
    ):
        lines = answer.aiter_lines()
        held = await anext(lines)
        await set_instance(database, chat.tenant, Phase.READY, Observed.READY)
        rest = [line async for line in lines]

    assert held == ": waking"
    assert "Echo: Guten Morgen" in "".join(rest)
    assert rest[-2:] == ["data: [DONE]", ""]


async def test_a_failure_after_the_stream_began_is_an_error_that_the_client_raises(chat: Chat) -> None:
    await chat.post(asks("Hallo", user="k"))
    chat.instance.plan(words=["Das ", "war ", "alles"], break_after=2)
    said: list[str] = []

    async def listen() -> None:
        async with chat.openai() as client:
            stream = await client.chat.completions.create(**asks("Erzähl", user="k", stream=True))
            async for chunk in stream:
                said.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - what came before the failure

    with pytest.raises(openai.APIError) as failure:
        await listen()

    assert said == ["Das ", "war "]
    assert failure.value.code == "assistant.cut"


async def test_a_failure_before_anything_was_said_is_a_503_that_clients_do_not_repeat_by_themselves(
    chat: Chat,
) -> None:
    chat.instance.plan(status=500)
    async with chat.openai() as client:
        with pytest.raises(openai.InternalServerError) as failure:
            await client.with_options(max_retries=3).chat.completions.create(**asks("Hallo"))

    assert failure.value.status_code == 503
    assert failure.value.code == "assistant.not_answering"
    assert len(chat.instance.asked) == 1


async def test_a_client_that_leaves_in_the_middle_leaves_what_was_said_as_cut(chat: Chat) -> None:
    chat.instance.plan(words=["Das ", "ist ", "lang"], pause_after=2)
    async with (
        chat.program() as client,
        client.stream("POST", "/api/v1/chat/completions", json=asks("Erzähl", stream=True, user="k")) as answer,
    ):
        conversation = answer.headers["kontor-conversation"]
        async for line in answer.aiter_lines():
            if "ist " in line:
                break

    async def outcomes() -> list[tuple[str, str]]:
        read = await chat.owner.get(f"/api/v1/conversations/{conversation}/messages")
        return [(one["content"], one["outcome"]) for one in read.json()["items"]]

    async def is_cut() -> bool:
        return await outcomes() == [("Erzähl", "cut"), ("Das ist ", "cut")]

    await eventually(is_cut, what="the turn is stored as cut")
    again = await chat.post(asks("Weiter", user="k"))
    assert again.json()["choices"][0]["message"]["content"] == "Echo: Weiter"  # told before it left: not again


async def test_the_same_request_with_an_idempotency_key_is_asked_once(chat: Chat) -> None:
    key = {"idempotency-key": "bestellung-4711"}

    first = await chat.post(asks("Hallo"), **key)
    second = await chat.post(asks("Hallo"), **key)
    streamed = await chat.post(asks("Hallo", stream=True), **{"idempotency-key": "anders"})

    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(chat.instance.asked) == 1
    assert (streamed.status_code, streamed.json()["code"]) == (400, "chat.stream_not_idempotent")


async def test_a_member_chats_with_its_session(chat: Chat) -> None:
    first = await chat.owner.post("/api/v1/chat/completions", json=asks("Hallo"))
    second = await chat.owner.post("/api/v1/chat/completions", json=asks("Noch etwas"))

    assert first.json()["choices"][0]["message"]["content"].startswith(DISCLOSURE)
    assert second.json()["choices"][0]["message"]["content"] == "Echo: Noch etwas"


async def test_nothing_is_taken_before_the_contracts_are_accepted(web: Web) -> None:
    async with web.client() as ada:
        await web.with_company(ada, "ada@example.org")

        answer: httpx.Response = await ada.post("/api/v1/chat/completions", json=asks("Hallo"))
        listed = (await ada.get("/api/v1/conversations")).json()

    assert (answer.status_code, answer.json()["code"]) == (409, "chat.not_activated")
    assert listed["items"] == []


async def test_a_company_without_an_instance_yet_is_being_set_up(web: Web) -> None:
    async with a_chat(web, has_assistant=False) as chat:
        answer = await chat.post(orjson.dumps(asks("Hallo")), **{"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (503, "assistant.preparing")
