"""What providers export, read into days and models; a broken file is refused with its line."""

import json
from datetime import date
from decimal import Decimal

import pytest

from kontor.billing.errors import ExportRefused
from kontor.billing.metering.provider_exports.cells import Counted
from kontor.billing.metering.provider_exports.read import canonical, read_export

DAY, NEXT = date(2026, 11, 22), date(2026, 11, 23)
# 22 and 23 November 2026, 00:00 UTC
START, TOMORROW = 1795305600, 1795392000

MINUTE = f"{START},{START + 60},2026-11-22T00:00:00+00:00,2026-11-22T00:01:00+00:00"
DAILY = f"{START},{TOMORROW},2026-11-22T00:00:00,2026-11-23T00:00:00"

OPENAI_USAGE = f"""\
start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,\
input_tokens,input_cached_tokens,output_tokens
{MINUTE},proj_1,3.0,,key_1,gpt-4.1-mini-2025-04-14,,100,40,20
{MINUTE},proj_1,1.0,,key_2,gpt-4.1-mini-2025-04-14,,10,,2
{TOMORROW},{TOMORROW + 60},2026-11-23T00:00:00+00:00,2026-11-23T00:01:00+00:00,,,,,,,,,
"""
OPENAI_COSTS = f"""\
start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,user_id
{DAILY},0.003835980000000000000000000000,usd,,,"gpt-4.1-mini-2025-04-14, input",
{DAILY},0.001000000000000000000000000000,usd,,,"gpt-4.1-mini-2025-04-14, output",
{DAILY},0.5,usd,,,web search tool calls,
"""
ANTHROPIC_USAGE = """\
usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,\
usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,\
web_search_count,inference_geo,speed
2026-11-22,claude-haiku-4-5-20251001,key,Default,standard,≤ 200k,100,20,3,7,50,0,not_available,
"""
ANTHROPIC_COSTS = """\
usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type
2026-11-22,Claude Haiku 4.5,Default,key,message,≤ 200k,input_no_cache,0.05,0.05,token
2026-11-22,Claude Haiku 4.5,Default,key,message,≤ 200k,output,0.02,0.02,token
"""
PLAIN = "day,model,requests,input_tokens,cached_tokens,output_tokens,cost,currency\n"


def test_openais_usage_is_summed_over_keys_and_minutes_and_its_empty_times_are_covered() -> None:
    export = read_export("openai", OPENAI_USAGE.encode())

    assert (export.form, export.first, export.last) == ("openai usage", DAY, NEXT)
    assert export.counted == {(DAY, "gpt-4.1-mini"): Counted(4, 110, 40, 22)}


def test_openais_costs_are_summed_over_the_line_items_of_a_model() -> None:
    export = read_export("openai", OPENAI_COSTS.encode())

    mini = export.counted[DAY, "gpt-4.1-mini"]
    assert (mini.cost, mini.currency, mini.input_tokens) == (Decimal("0.00483598"), "USD", None)
    assert export.counted[DAY, "web search tool calls"].cost == Decimal("0.5")


def test_openais_pages_are_read_like_its_files() -> None:
    usage = {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": START,
                "end_time": TOMORROW,
                "results": [
                    {
                        "object": "organization.usage.completions.result",
                        "input_tokens": 110,
                        "input_cached_tokens": 40,
                        "output_tokens": 22,
                        "num_model_requests": 4,
                        "model": "gpt-4.1-mini-2025-04-14",
                        "project_id": None,
                    }
                ],
            },
            {"object": "bucket", "start_time": TOMORROW, "end_time": TOMORROW + 86_400, "results": []},
        ],
        "has_more": False,
    }
    costs = {
        "data": [
            {
                "start_time": START,
                "results": [
                    {"amount": {"value": 0.06, "currency": "usd"}, "line_item": "gpt-4.1-mini-2025-04-14, input"}
                ],
            }
        ]
    }

    of_usage = read_export("openai", json.dumps([usage]).encode())
    of_costs = read_export("openai", json.dumps(costs).encode())

    assert of_usage == read_export("openai", OPENAI_USAGE.encode())
    assert of_costs.counted == {(DAY, "gpt-4.1-mini"): Counted(cost=Decimal("0.06"), currency="USD")}


def test_anthropics_input_is_the_sum_of_its_four_columns() -> None:
    export = read_export("anthropic", ANTHROPIC_USAGE.encode())

    assert export.counted == {(DAY, "claude-haiku-4-5"): Counted(None, 130, 7, 50)}


def test_anthropics_costs_name_models_as_people_do_and_are_rounded_to_cents() -> None:
    export = read_export("anthropic", ANTHROPIC_COSTS.encode())

    cost = Counted(cost=Decimal("0.07"), currency="USD", rounding=Decimal("0.010"))
    assert export.counted == {(DAY, "claude-haiku-4-5"): cost}


@pytest.mark.parametrize(
    "content",
    [
        (PLAIN + "2026-11-22,m,1234,2000,,30,1234.50,EUR\n").encode(),
        ("\ufeff" + PLAIN + "2026-11-22,m,1234,2000,,30,1234.50,EUR\r\n").encode(),
        (PLAIN.replace(",", ";") + "2026-11-22;m;1.234;2.000;;30;1.234,50;eur\n").encode(),
        (PLAIN.replace(",", ";") + "2026-11-22;m;1234;2000;;30;1234.50;EUR\n").encode(),
        (PLAIN.replace(",", "\t") + "2026-11-22T12:00:00Z\tm\t1234\t2000\t\t30\t1234.50\tEUR\n").encode(),
    ],
)
def test_the_plain_form_is_read_as_spreadsheets_write_it(content: bytes) -> None:
    export = read_export("mistral", content)

    cost = Counted(1234, 2000, None, 30, Decimal("1234.50"), "EUR", Decimal("0.005"))
    assert export.counted == {(DAY, "m"): cost}


def test_the_plain_form_needs_only_day_and_model() -> None:
    assert read_export("mistral", b"model,day,output_tokens\nm,2026-11-22,7\n").counted == {
        (DAY, "m"): Counted(output_tokens=7)
    }


@pytest.mark.parametrize(
    ("provider", "named", "ours"),
    [
        ("openai", "gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ("openai", "gpt-4o", "gpt-4o"),
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("anthropic", "claude-haiku-4-5", "claude-haiku-4-5"),
        ("mistral", "mistral-small-2603", "mistral-small"),
        ("mistral", "mistral-small-latest", "mistral-small"),
        ("openai", "gpt-3.5-turbo-0125", "gpt-3.5-turbo-0125"),
    ],
)
def test_a_models_state_is_left_out_of_its_name(provider: str, named: str, ours: str) -> None:
    assert canonical(provider, named) == ours


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "is no header"),
        (b"when,what\n", 1, "rename the columns to day,model,requests"),
        (b"day,model,day\n2026-11-22,m,1\n", 1, "names a column twice"),
        (PLAIN.encode(), 1, "no usage"),
        (PLAIN.encode() + b"2026-11-22,m,1,2\n", 2, "has 4 columns instead of 8"),
        (PLAIN.encode() + b"2026-11-22,m,1,2,3,4,5,USD\n\n2026-11-23,m,x,,,,,\n", 4, "has no number in requests: 'x'"),
        (PLAIN.encode() + b"2026-11-22,m,-1,,,,,\n", 2, "has no number in requests"),
        (PLAIN.encode() + b"2026-11-22,m,1.5,,,,,\n", 2, "has no number in requests"),
        (PLAIN.encode() + b"2026-11-22,m,1.234,,,,,\n", 2, "has no number in requests"),
        (PLAIN.encode() + b"2026-11-22,m,99999999999999999999,,,,,\n", 2, "has no number in requests"),
        (PLAIN.encode() + "2026-11-22,m,١,,,,,\n".encode(), 2, "has no number in requests"),
        (PLAIN.encode() + b"22.11.2026,m,1,,,,,\n", 2, "has no day in day: '22.11.2026'"),
        (PLAIN.encode() + b"2026-11-22,,1,,,,,\n", 2, "has no model"),
        (PLAIN.encode() + b"2026-11-22,m,1,,,,NaN,USD\n", 2, "has no amount in cost"),
        (PLAIN.encode() + b"2026-11-22,m,1,,,,5,\n", 2, "has a cost without a currency"),
        (PLAIN.encode() + b"2026-11-22,m,1,,,,5,USD\n2026-11-22,m,1,,,,5,EUR\n", 3, "has another currency"),
        (PLAIN.encode() + b'2026-11-22,"m,1,,,,5,USD\n', 2, "cannot be read"),
        (PLAIN.encode() + b"2026-11-22,\xff,1,,,,,\n", 2, "is no UTF-8 text"),
        (OPENAI_USAGE.replace("gpt-4.1-mini-2025-04-14", "").encode(), 2, "has no model"),
        (ANTHROPIC_USAGE.encode(), 1, "is an export of anthropic, not of openai"),
        (b'{"data": [}', 1, "is no JSON"),
        (b'{"answer": 42}', 1, "is no answer of OpenAI's usage or costs API"),
        (b"[1]", 1, "is no answer of OpenAI's usage or costs API"),
        (b"[]", 1, "no usage"),
        (b'{"data": [{"start_time": 1, "results": [7]}]}', 1, "has a result that is no object"),
        (b'{"data": [], "has_more": true}', 1, "is not the last page"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(content: bytes, line: int, what: str) -> None:
    with pytest.raises(ExportRefused) as refused:
        read_export("openai", content)

    assert refused.value.sentence("en").startswith(f"Line {line} ")
    assert what in refused.value.sentence("en")
    assert refused.value.sentence("de").startswith(f"Zeile {line} ")
