"""Streams of every dialect, however they are cut into pieces and whatever ends their lines: the same passes.

What is compared is a stream read at once with the same stream in pieces; what it means is read by a parser of its own
after WHATWG HTML, "Server-sent events".
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kontor.billing.metering.dialects.chat import Chat
from kontor.billing.metering.dialects.dialect import Missing, Talk
from kontor.billing.metering.dialects.events import Reader
from kontor.billing.metering.dialects.messages import Messages
from kontor.billing.metering.dialects.responses import Responses
from kontor.billing.metering.usage import Tokens

BOM = b"\xef\xbb\xbf"
NOTICE = "Dies ist keine Rechtsberatung."
END = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}


def missing(tail: str) -> str | None:
    """Whether the notice is, by the policy's own rule in short."""
    return None if not tail or NOTICE in tail else f"\n\n{NOTICE}"


@dataclass(frozen=True)
class Case:
    """A dialect and a stream: lines end with LF, an event has several lines, one has no data, one is a comment."""

    talk: Talk
    request: dict[str, object]
    stream: bytes
    tokens: Tokens
    stripped: bytes = b""

    def reader(self, missing: Missing | None = None) -> Reader:
        return self.talk.reader(self.talk.read(orjson.dumps(self.request | {"stream": True})), missing)


def lines(*contents: str) -> bytes:
    return "".join(
        content if content.startswith((":", "event:")) else f"data: {content}\n\n" for content in contents
    ).encode()


CHAT_USAGE = lines('{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2}}')
CHAT = Case(
    Chat(),
    {"model": "a", "messages": [1]},
    lines(
        ": keep-alive\n\n",
        '{"choices":[{"index":0,"delta":{"content":"Grüße, 😀 \\"usage\\""}}],"usage":null}',
        "event: nothing\n\n",
        '{"choices":\ndata: [{"index":0,"delta":{},\ndata:"finish_reason":"stop"}]}',
    )
    + b"\n"
    + CHAT_USAGE
    + lines("[DONE]", '{"choices":[{"delta":{"content":"too late"}}]}'),
    Tokens(input=10, output=2),
    CHAT_USAGE,
)
RESPONSES = Case(
    Responses(),
    {"model": "a", "input": "Hallo"},
    lines(
        "event: response.created\n",
        '{"type":"response.created","sequence_number":0,"response":{"usage":null}}',
        ": note\n\n",
        '{"type":"response.output_text.delta","sequence_number":1,"delta":"Grüße"}',
        '{"type":"response.output_text.done",\ndata: "sequence_number":2,"text":"Grüße"}',
        "event: nothing\n\n",
        '{"type":"response.completed","sequence_number":3,"response":{"output":[{"content":'
        '[{"type":"output_text","text":"Grüße"}]}],"usage":{"input_tokens":10,"output_tokens":2}}}',
    )
    + lines('{"type":"too late"}'),
    Tokens(input=10, output=2),
)
MESSAGES = Case(
    Messages(),
    {"model": "a", "messages": [1], "max_tokens": 9},
    lines(
        '{"type":"message_start","message":{"usage":{"input_tokens":9,"cache_read_input_tokens":1,"output_tokens":1}}}',
        "event: ping\n",
        '{"type": "ping"}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        '{"type":"content_block_delta","index":0,\ndata: "delta":{"type":"text_delta","text":"Grüße"}}',
        ": note\n\n",
        '{"type":"content_block_stop","index":0}',
        '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}',
        "event: message_stop\n",
        '{"type":"message_stop"}',
    )
    + lines('{"type":"too late"}'),
    Tokens(input=10, cached=1, output=2),
)
CASES = [pytest.param(case, id=case.talk.name) for case in (CHAT, RESPONSES, MESSAGES)]


@dataclass(frozen=True)
class Read:
    """What came of a stream."""

    passed: bytes
    tokens: Tokens | None
    text_bytes: int
    is_done: bool


def read(reader: Reader, pieces: Iterable[bytes]) -> Read:
    passed = b"".join([reader.feed(piece) for piece in pieces]) + reader.finish()
    return Read(passed, reader.tokens, reader.text_bytes, reader.is_done)


def cut(stream: bytes, places: Sequence[int]) -> list[bytes]:
    return [stream[begin:end] for begin, end in itertools.pairwise([0, *sorted(places), len(stream)])]


def data_in(stream: bytes) -> list[str]:
    """The data of all events, as a client sees them."""
    found, block = [], []
    for line in re.split("\r\n|\n|\r", stream.decode().removeprefix("\ufeff")):
        if line.startswith("data:"):
            block.append(line[5:].removeprefix(" "))
        elif not line:
            found += ["\n".join(block)] if block else []
            block = []
    return found


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize("notice", [None, missing], ids=["plain", "notice"])
@pytest.mark.parametrize("before", [b"", BOM], ids=["", "bom"])
def test_a_stream_split_at_every_byte_passes_like_the_whole(
    case: Case, end: str, notice: Missing | None, before: bytes
) -> None:
    stream = before + case.stream.replace(b"\n", END[end])
    whole = read(case.reader(notice), [stream])

    splits = [read(case.reader(notice), cut(stream, [place])) for place in range(1, len(stream))]

    assert [one for one in splits if one != whole] == []
    assert read(case.reader(notice), [stream[at : at + 1] for at in range(len(stream))]) == whole


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize("before", [b"", BOM], ids=["", "bom"])
def test_a_stream_passes_byte_for_byte_to_its_end_and_is_counted(case: Case, end: str, before: bytes) -> None:
    stream = before + case.stream.replace(b"\n", END[end])

    came = read(case.reader(), [stream])

    late = stream.index(b"too late")
    until = stream.rindex(END[end] * 2, 0, late) + 2 * len(END[end])
    assert came.passed == stream[:until].replace(case.stripped.replace(b"\n", END[end]), b"")
    assert (came.tokens, came.is_done) == (case.tokens, True)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("end", END)
def test_a_client_reads_the_same_notice_whatever_ends_the_lines(case: Case, end: str) -> None:
    came = read(case.reader(missing), [case.stream.replace(b"\n", END[end])])

    told = data_in(came.passed)
    assert told == data_in(read(case.reader(missing), [case.stream]).passed)
    assert sum(NOTICE in one for one in told) >= 1
    assert (came.tokens, came.is_done) == (case.tokens, True)


def pieces_of(case: Case) -> st.SearchStrategy[bytes]:
    """Lines of the case and such as break them, each with an end of its own."""
    known = [line for line in case.stream.split(b"\n") if line]
    odd = [
        b"",
        b"",
        b"data",
        b"data:",
        b"data: {",
        b'data: {"usage":{',
        b"data: [DONE]",
        b"\xff\xfe",
        BOM,
        b'"',
        b"id: 1",
    ]
    odd.append(b'data: {"choices":[{"index":0,"delta":{"content":[5]},"finish_reason":"stop"}],"usage":{}}')
    odd.append(b'data: {"type":"response.output_text.done","sequence_number":18446744073709551614,"text":"Ja."}')
    line = st.sampled_from(known) | st.sampled_from(odd) | st.binary(max_size=5)
    return st.lists(
        st.tuples(line, st.sampled_from([*END.values(), b"\n\n", b"\r\n\r\n"])).map(b"".join), max_size=14
    ).map(b"".join)


@pytest.mark.parametrize("case", CASES)
@given(data=st.data(), notice=st.sampled_from([None, missing]))
def test_any_lines_cut_anywhere_pass_like_the_whole(case: Case, data: st.DataObject, notice: Missing | None) -> None:
    stream = data.draw(pieces_of(case))
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))

    assert read(case.reader(notice), cut(stream, places)) == read(case.reader(notice), [stream])
