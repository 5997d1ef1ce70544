"""Which provider of models this installation uses, from its settings."""

from typing import Final

from pydantic import SecretStr

from kontor.billing.metering.providers import Provider
from kontor.core.settings import Settings

BUILT_IN_MODEL: Final = "kontor-demo"
# platform.openai.com, docs.anthropic.com ("OpenAI SDK compatibility"), docs.mistral.ai, docs.ollama.com.
_OPENAI: Final = "https://api.openai.com/v1"
_ANTHROPIC: Final = "https://api.anthropic.com/v1"
_MISTRAL: Final = "https://api.mistral.ai/v1"
# Mistral answers 422 to these; it reports usage in the last chunk without being asked.
_MISTRAL_REFUSES: Final = frozenset({"stream_options", "max_completion_tokens", "store"})


def provider_of(settings: Settings) -> Provider:
    """The first that is set of OpenAI (or anything that speaks like it), Anthropic, Mistral, Ollama; else our own."""
    model = settings.model
    if settings.openai_base_url or settings.openai_api_key:
        url = settings.openai_base_url or _OPENAI
        return Provider("openai", url, model or "gpt-4.1-mini", _bearer(settings.openai_api_key))
    if settings.anthropic_api_key:
        return Provider("anthropic", _ANTHROPIC, model or "claude-haiku-4-5", _bearer(settings.anthropic_api_key))
    if settings.mistral_api_key:
        headers = _bearer(settings.mistral_api_key)
        return Provider("mistral", _MISTRAL, model or "mistral-small-latest", headers, _MISTRAL_REFUSES)
    if settings.ollama_base_url:
        url = settings.ollama_base_url.rstrip("/")
        return Provider("ollama", url if url.endswith("/v1") else f"{url}/v1", model or "llama3.2")
    return Provider("builtin", f"http://127.0.0.1:{settings.model_port}/v1", model or BUILT_IN_MODEL)


def _bearer(secret: SecretStr | None) -> dict[str, str]:
    return {"authorization": f"Bearer {secret.get_secret_value()}"} if secret else {}
