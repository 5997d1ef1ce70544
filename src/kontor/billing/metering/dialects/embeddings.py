"""OpenAI's embeddings. Source: platform.openai.com/docs/api-reference/embeddings."""

# ruff: noqa: ARG002, D102 - the methods and their arguments are those of dialect

from collections.abc import Mapping
from typing import Any

from kontor.billing.metering.answers import Refusal, openai_problem
from kontor.billing.metering.dialects.dialect import Asked, Dialect, Fields, NotUnderstood, dumps
from kontor.billing.metering.usage import Tokens, embeddings_usage
from kontor.core.i18n import Lang


class Embeddings(Dialect):
    """`POST /embeddings`: vectors of texts. There is no stream, no rule and no text that could be an answer."""

    name = "embeddings"
    path = "/embeddings"

    def _asked(self, fields: Fields, model: str) -> Asked:
        given = fields.get("input")
        if not isinstance(given, str | list) or not given:
            raise NotUnderstood("'input' must be a text or a list that is not empty.")
        return Asked(fields, model, most_output=0)

    def for_provider(
        self, asked: Asked, model: str, *, rules: str = "", refuses: frozenset[str] = frozenset()
    ) -> bytes:
        return dumps({name: value for name, value in asked.fields.items() if name not in refuses} | {"model": model})

    def counted(self, answer: Mapping[str, Any]) -> Tokens | None:
        return embeddings_usage(answer.get("usage"))

    def problem(self, refusal: Refusal, lang: Lang) -> bytes:
        return openai_problem(refusal, lang)
