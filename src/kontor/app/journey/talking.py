"""Questions and answers through the customer's program, and what they cost."""

from typing import Final

from pydantic import ValidationError

from kontor.app.journey.answers import Completion, Conversation, Usage, Used, UsedOnDay
from kontor.app.journey.customer import ask, read, send, streamed, until
from kontor.app.journey.failed import StepFailed, expect
from kontor.app.journey.story import END_USER, PERSON, Story

CHAT: Final = "/api/v1/chat/completions"
LEAST_CHUNKS: Final = 3
_DATA: Final = "data: "


async def first_answer(story: Story) -> str:
    """The first answer tells that it is an AI."""
    text = await _answer(story, story.words.first)
    told = story.words.disclosure.format(company=story.company)
    expect(holds=told in text, code="disclosure", detail=f"the first answer does not say '{told}': {text[:200]}")
    return _last_line(text)


async def second_answer(story: Story) -> str:
    """The second answer knows what was said before, and does not repeat the disclosure."""
    text = await _answer(story, story.words.second)
    expect(holds=PERSON in text, code="memory", detail=f"asked for the name that it was told, it said: {text[:200]}")
    told = story.words.disclosure.format(company=story.company)
    expect(holds=told not in text, code="disclosure", detail="the disclosure came a second time")
    return text


async def streaming_answer(story: Story) -> str:
    """An answer comes in several pieces, with its tokens, and ends as it should."""
    body = {**_body(story.words.streaming), "stream": True, "stream_options": {"include_usage": True}}
    pieces: list[str] = []
    is_done = False
    async with streamed(story.customer.program, CHAT, json=body) as lines:
        async for line in lines:
            if not line.startswith(_DATA):
                continue
            if line == f"{_DATA}[DONE]":
                is_done = True
                break
            chunk = _chunk(line.removeprefix(_DATA))
            pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
            if chunk.usage:
                story.used.append(chunk.usage)
            story.detail(f"{len(pieces)} pieces")
    expect(holds=is_done, code="stream", detail=f"the stream ended without [DONE] after {len(pieces)} pieces")
    expect(
        holds=len(pieces) >= LEAST_CHUNKS,
        code="stream",
        detail=f"{len(pieces)} pieces came, at least {LEAST_CHUNKS} were expected: it does not stream",
    )
    story.asked.append(story.words.streaming)
    story.heard.append("".join(pieces))
    return f"{len(pieces)} pieces: {''.join(pieces)[:60]}"


async def human(story: Story) -> str:
    """The word for a human reaches one; no model is asked."""
    before = len(story.used)
    text = await _answer(story, story.words.human)
    asked = sum(used.prompt_tokens + used.completion_tokens for used in story.used[before:])
    expect(holds=asked == 0, code="human", detail=f"a model was asked: {asked} tokens")
    path = f"/api/v1/conversations/{story.conversation}"
    now = await ask(story.customer.browser, "GET", path, Conversation)
    expect(holds=now.state == "human", code="human", detail=f"the conversation is with: {now.state}")
    return text


async def usage(story: Story) -> str:
    """Usage by day and model is the sum of what the answers reported, to the token."""
    told = (
        sum(used.prompt_tokens for used in story.used),
        sum(used.completion_tokens for used in story.used),
    )
    expect(holds=bool(story.used), code="usage", detail="no answer reported its tokens")
    last = ""

    async def equal() -> Usage | None:
        nonlocal last
        found = await ask(story.customer.program, "GET", "/api/v1/usage", Usage)
        last = _sums(found.total)
        story.detail(last)
        return found if (found.total.input_tokens, found.total.output_tokens) == told else None

    found = await until(
        equal,
        within_s=story.patience.usage_s,
        otherwise=lambda: f"usage shows {last}; the answers reported {told[0]} in, {told[1]} out",
    )
    by_row = (sum(row.input_tokens for row in found.rows), sum(row.output_tokens for row in found.rows))
    expect(holds=by_row == told, code="usage", detail=f"the rows add up to {by_row}, not to {told}")
    story.usage_csv = (await send(story.customer.program, "GET", "/api/v1/usage.csv")).text
    return "; ".join(map(_row, found.rows))


async def _answer(story: Story, text: str) -> str:
    response = await send(story.customer.program, "POST", CHAT, json=_body(text))
    answer = read(response, Completion)
    story.conversation = response.headers.get("kontor-conversation", story.conversation)
    if answer.usage:
        story.used.append(answer.usage)
    content = answer.choices[0].message.content or ""
    expect(holds=bool(content), code="answer", detail="the answer is empty")
    story.asked.append(text)
    story.heard.append(content)
    return content


def _body(text: str) -> dict[str, object]:
    return {"model": "assistant", "user": END_USER, "messages": [{"role": "user", "content": text}]}


def _chunk(payload: str) -> Completion:
    try:
        return Completion.model_validate_json(payload)
    except ValidationError as error:
        raise StepFailed("journey.stream", f"the stream says: {payload[:300]}") from error


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def _row(row: UsedOnDay) -> str:
    return f"{row.date} {row.model}: {_sums(row)}, {row.cost_eur} EUR"


def _sums(used: Used) -> str:
    return f"{used.calls} calls, {used.input_tokens} tokens in, {used.output_tokens} out"
