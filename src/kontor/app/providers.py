"""The catalogue of models that this installation uses: the operator's file, else one made from the settings.

From the settings every provider that is set serves the assistant, in this order: OpenAI (or anything that speaks like
it), Anthropic, Mistral, Ollama; without any of them our own model.
"""

from collections.abc import Iterator
from typing import Final

from kontor.billing.metering.catalogue import ASSISTANT, Catalogue
from kontor.billing.metering.catalogue_file import (
    CatalogueEntries,
    DeploymentEntry,
    Fits,
    ModelEntry,
    ProviderEntry,
    make_catalogue,
    read_catalogue,
)
from kontor.core.settings import Settings
from kontor.tenants.contracts.catalogue import Catalogue as Contracts

BUILT_IN_MODEL: Final = "kontor-demo"


def catalogue_of(settings: Settings, contracts: Contracts) -> Catalogue:
    """All models, each deployment only for the choices of data residency that it fits. Raises CatalogueBroken."""
    fits = residencies(settings, contracts)
    if settings.models_file is not None:
        return read_catalogue(settings.models_file, fits)
    providers: dict[str, ProviderEntry] = {}
    deployments: list[DeploymentEntry] = []
    for name, entry, model in _providers(settings):
        providers[name] = entry
        # KONTOR_MODEL is the first one's.
        deployments.append(DeploymentEntry(provider=name, model=(not deployments and settings.model) or model))
    entries = CatalogueEntries(providers=providers, models={ASSISTANT: ModelEntry(deployments=tuple(deployments))})
    secrets = {
        "openai": settings.openai_api_key,
        "anthropic": settings.anthropic_api_key,
        "mistral": settings.mistral_api_key,
    }
    return make_catalogue(entries, fits, lambda name: secret.get_secret_value() if (secret := secrets[name]) else "")


def residencies(settings: Settings, contracts: Contracts) -> Fits:
    """What a sub-processor fits, as far as those that host everything (KONTOR_SUB_PROCESSORS) fit it too."""
    named = engaged(settings, contracts)
    fitting = {residency: {one.key for one in contracts.fitting(residency)} for residency in contracts.residencies}
    allowed = {residency for residency, keys in fitting.items() if named <= keys}

    def fits(key: str) -> frozenset[str]:
        return frozenset(residency for residency in allowed if not key or key in fitting[residency])

    return fits


def engaged(settings: Settings, contracts: Contracts) -> frozenset[str]:
    """The sub-processors that see every tenant's content. Raises ValueError for one that the contracts don't know."""
    named = frozenset(part.strip() for part in settings.sub_processors.split(",") if part.strip())
    if unknown := sorted(named - set(contracts.deployments)):
        raise ValueError(f"KONTOR_SUB_PROCESSORS: unknown {', '.join(unknown)}; see data/deployments.toml")
    return named


def _providers(settings: Settings) -> Iterator[tuple[str, ProviderEntry, str]]:
    """Name, entry and usual model of each provider that is set."""
    found = False
    if settings.openai_base_url or settings.openai_api_key:
        found = True
        key = "openai" if settings.openai_api_key else None
        # Whoever speaks like OpenAI at an address of the operator's choice is the operator's own, or named.
        whose = "" if settings.openai_base_url else "openai-us"
        yield "openai", ProviderEntry(base_url=settings.openai_base_url, key=key, sub_processor=whose), "gpt-4.1-mini"
    if settings.anthropic_api_key:
        found = True
        entry = ProviderEntry(kind="anthropic", key="anthropic", sub_processor="anthropic-us")
        yield "anthropic", entry, "claude-haiku-4-5"
    if settings.mistral_api_key:
        found = True
        entry = ProviderEntry(kind="mistral", key="mistral", sub_processor="mistral-eu")
        yield "mistral", entry, "mistral-small-latest"
    if settings.ollama_base_url:
        found = True
        url = settings.ollama_base_url.rstrip("/")
        yield "ollama", ProviderEntry(base_url=url if url.endswith("/v1") else f"{url}/v1"), "llama3.2"
    if not found:
        url = f"http://127.0.0.1:{settings.model_port}/v1"
        yield (
            "builtin",
            ProviderEntry(base_url=url, speaks=("chat", "responses", "messages", "embeddings")),
            BUILT_IN_MODEL,
        )
