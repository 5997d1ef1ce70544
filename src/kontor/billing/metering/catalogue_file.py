"""The catalogue as data: providers with their secrets, and models with the deployments that serve them.

    [providers.mistral]
    kind = "mistral"                      # openai, anthropic, azure, bedrock, mistral
    key = "env:MISTRAL_API_KEY"           # or "file:/run/secrets/mistral"
    sub_processor = "mistral-eu"          # who processes there, a key of the contracts' deployments

    [models.assistant]
    most_output_tokens = 4096
    deployments = [{ provider = "mistral", model = "mistral-small-latest" }]

Deployments are tried in their order. A provider without `sub_processor` is a machine of the operator's own.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kontor.billing.metering.catalogue import MOST_OUTPUT_TOKENS, Catalogue, Deployment, Model
from kontor.billing.metering.credentials import Anthropic, ApiKey, Bearer, Credential, Nobody, SigV4

Kind = Literal["openai", "anthropic", "azure", "bedrock", "mistral"]
Fits = Callable[[str], frozenset[str]]
"""The choices of data residency that a sub-processor fits; of an empty key: all."""
Secrets = Callable[[str], str]
"""The secret at a place. Raises CatalogueBroken."""

# Sources: platform.openai.com, docs.anthropic.com ("OpenAI SDK compatibility"), learn.microsoft.com ("v1 API"),
# docs.mistral.ai, docs.aws.amazon.com ("Invoke a model with the OpenAI Chat Completions API").
_URLS: Final[Mapping[Kind, str]] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "azure": "{url}/openai/v1",
    "bedrock": "https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
}
# What suits each best comes first. Anthropic calls its "chat" a way to try it, without its cache of prompts
# (docs.anthropic.com, "OpenAI SDK compatibility").
_SPEAKS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "openai": ("chat", "responses", "embeddings"),
    "anthropic": ("messages", "chat"),
    "azure": ("chat", "responses", "embeddings"),
    "bedrock": ("chat",),
    "mistral": ("chat", "embeddings"),
}
# Mistral answers 422 to these; it reports usage in the last chunk without being asked.
_REFUSES: Final[Mapping[Kind, frozenset[str]]] = {
    "mistral": frozenset({"stream_options", "max_completion_tokens", "store"})
}


class CatalogueBroken(ValueError):
    """The file cannot be used; the message says where and why."""


class ProviderEntry(BaseModel):
    """`[providers.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "openai"
    base_url: str | None = None
    region: str | None = Field(None, description="Bedrock's")
    key: str | None = Field(None, description="env:NAME or file:PATH; for Bedrock the secret access key")
    key_id: str | None = Field(None, description="Bedrock's access key id, as key")
    priced_as: str | None = Field(None, description="the provider in the price list; default the entry's name")
    sub_processor: str = ""
    speaks: tuple[Literal["chat", "responses", "messages", "embeddings"], ...] | None = None
    refuses: frozenset[str] | None = None


class DeploymentEntry(BaseModel):
    """One of a model's `deployments`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str
    model: str


class ModelEntry(BaseModel):
    """`[models.NAME]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    deployments: tuple[DeploymentEntry, ...] = Field(min_length=1)
    most_output_tokens: int = Field(MOST_OUTPUT_TOKENS, ge=1)


class CatalogueEntries(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    providers: dict[str, ProviderEntry]
    models: dict[str, ModelEntry] = Field(min_length=1)


def read_catalogue(path: Path, fits: Fits) -> Catalogue:
    """The catalogue in a file. Raises CatalogueBroken, also for a secret that is missing."""
    try:
        entries = CatalogueEntries.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise CatalogueBroken(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueBroken(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise CatalogueBroken(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    try:
        return make_catalogue(entries, fits)
    except CatalogueBroken as error:
        raise CatalogueBroken(f"{path}: {error}") from error


def make_catalogue(entries: CatalogueEntries, fits: Fits, secrets: Secrets | None = None) -> Catalogue:
    """The catalogue that entries describe. Raises CatalogueBroken."""
    credentials = {}
    for name, entry in entries.providers.items():
        try:
            credentials[name] = _credential(entry, secrets or stored)
            _url(entry)
        except CatalogueBroken as error:
            raise CatalogueBroken(f"providers.{name}: {error}") from error
    models = []
    for name, model in entries.models.items():
        deployments = []
        for one in model.deployments:
            provider = entries.providers.get(one.provider)
            if provider is None:
                raise CatalogueBroken(f"models.{name}: there is no provider {one.provider!r}")
            serves = fits(provider.sub_processor)
            deployments.append(_deployment(one, provider, credentials[one.provider], serves))
        models.append(Model(name, tuple(deployments), model.most_output_tokens))
    return Catalogue(models)


def _deployment(
    one: DeploymentEntry, entry: ProviderEntry, credential: Credential, serves: frozenset[str]
) -> Deployment:
    return Deployment(
        name=f"{one.provider}/{one.model}",
        provider=entry.priced_as or one.provider,
        model=one.model,
        base_url=_url(entry),
        speaks=_SPEAKS[entry.kind] if entry.speaks is None else tuple(dict.fromkeys(entry.speaks)),
        serves=serves,
        credential=credential,
        refuses=_REFUSES.get(entry.kind, frozenset()) if entry.refuses is None else entry.refuses,
        sub_processor=entry.sub_processor,
    )


def stored(place: str) -> str:
    """The secret in a variable or a file. Raises CatalogueBroken."""
    kind, _, where = place.partition(":")
    if kind == "env" and where:
        found = os.environ.get(where, "")
    elif kind == "file" and where:
        try:
            found = Path(where).read_text("utf-8").strip()
        except OSError as error:
            raise CatalogueBroken(f"{where}: {error.strerror}") from error
    else:
        raise CatalogueBroken("a secret stands as env:NAME or file:PATH, never in the file itself")
    if not found:
        raise CatalogueBroken(f"{place} is empty")
    return found


def _url(entry: ProviderEntry) -> str:
    if entry.kind == "azure":
        if not entry.base_url:
            raise CatalogueBroken("base_url is missing: https://NAME.openai.azure.com")
        return _URLS["azure"].format(url=entry.base_url.rstrip("/"))
    if entry.base_url:
        return entry.base_url.rstrip("/")
    if entry.kind == "bedrock" and not entry.region:
        raise CatalogueBroken("region is missing: for example eu-central-1")
    return _URLS[entry.kind].format(region=entry.region)


def _credential(entry: ProviderEntry, secrets: Secrets) -> Credential:
    if entry.key is None:
        return Nobody()
    secret = secrets(entry.key)
    match entry.kind:
        case "anthropic":
            return Anthropic(secret)
        case "azure":
            return ApiKey(secret)
        case "bedrock" if entry.key_id is not None:
            if not entry.region:
                raise CatalogueBroken("key_id needs the region beside it")
            return SigV4(secrets(entry.key_id), secret, entry.region)
        case _:
            return Bearer(secret)
