"""What an operator sets, by environment variables; read once, in the container.

Names that the whole industry uses (DATABASE_URL, OPENAI_BASE_URL, ...) keep them; ours begin with KONTOR_.
"""

import hashlib
import os
from base64 import b64decode
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MASTER_KEY_BYTES = 32


def default_state_dir() -> Path:
    """`.kontor` in the working directory; as root below a private folder, a place that other uids can reach.

    Started as root, Postgres and the assistants run as users of their own and must be able to walk to their files.
    """
    here = Path.cwd() / ".kontor"
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in here.parents):
        return here
    return Path("/var/lib/kontor") / hashlib.sha256(str(here).encode()).hexdigest()[:12]


def default_cache_dir() -> Path:
    """Where installed programs are kept between starts and clones."""
    if os.geteuid() == 0:
        return Path("/var/cache/kontor")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kontor"


class Settings(BaseSettings):
    """All settings of all processes; each process uses its part."""

    model_config = SettingsConfigDict(
        env_prefix="KONTOR_", frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True
    )

    state_dir: Path = Field(default_factory=default_state_dir)
    cache_dir: Path = Field(default_factory=default_cache_dir)
    master_key: SecretStr = Field(description="base64 of 32 bytes; wraps every data key")
    key_store_dir: Path | None = Field(None, description="folder of wrapped data keys; default <state>/keys")
    files_url: str | None = Field(None, description="file:///... or s3://bucket/prefix; default <state>/files")

    database_url: SecretStr = Field(
        validation_alias=AliasChoices("DATABASE_URL", "KONTOR_DATABASE_URL", "database_url")
    )
    database_app_url: SecretStr | None = None
    database_system_url: SecretStr | None = None
    database_gateway_url: SecretStr | None = None
    database_pool_size: int = 10

    base_url: str = "http://127.0.0.1:8080"
    api_host: str = "127.0.0.1"
    api_port: int = 8080
    gateway_host: str = "127.0.0.1"
    gateway_port: int = 8081
    gateway_workers: int = Field(1, ge=1, le=64, description="processes behind the gateway's port")
    gateway_url: str = Field("http://127.0.0.1:8081", description="where instances reach the gateway")
    gateway_public_url: str | None = Field(
        None, description="where tenants' own programs reach the gateway; default gateway_url"
    )
    model_port: int = 8082
    model_control_token: SecretStr | None = Field(None, description="switches on the built-in model's test controls")
    outbox_port: int = 8083
    worker_port: int = Field(0, description="health and metrics of the worker; 0 = none")
    smtp_url: SecretStr = SecretStr("smtp://127.0.0.1:8025")
    mail_from: str = "Kontor <noreply@kontor.example>"
    outbox_url: str | None = Field(None, description="shown on pages when mail goes to the local outbox")
    trusted_proxies: str = Field(
        "",
        validation_alias=AliasChoices("TRUSTED_PROXIES", "KONTOR_TRUSTED_PROXIES", "trusted_proxies"),
        description="comma-separated networks whose X-Forwarded-For and -Proto are believed",
    )

    openai_base_url: str | None = Field(None, validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"))
    openai_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"))
    anthropic_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("ANTHROPIC_API_KEY", "anthropic_api_key")
    )
    mistral_api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("MISTRAL_API_KEY", "mistral_api_key"))
    ollama_base_url: str | None = Field(None, validation_alias=AliasChoices("OLLAMA_BASE_URL", "ollama_base_url"))
    model: str | None = Field(None, description="the model's name at the first provider")
    models_file: Path | None = Field(
        None, description="the catalogue of models; default what the provider settings say"
    )
    policy_dir: Path | None = Field(None, description="folder of policy packs that replace or join the shipped ones")
    policy_alert_hits: int = Field(
        5, ge=0, description="refusals of a tenant in seven days that the operator is told of; 0 = never"
    )
    unpriced: Literal["serve", "refuse"] = Field("serve", description="what becomes of a model without a price")
    requests_per_minute: int = Field(600, ge=1, description="of a tenant without limits of its own")
    tokens_per_minute: int = Field(2_000_000, ge=1, description="of a tenant without limits of its own")
    sub_processors: str = Field(
        "", description="comma-separated keys of deployments.toml: hosting, own addresses' owners"
    )

    sellers_file: Path | None = Field(None, description="who sells; default the shipped sellers.toml")
    plans_file: Path | None = Field(None, description="plans and prices; default the shipped plans.toml")

    runtime: Literal["local", "fake"] = "local"
    pool_size: int = Field(1, ge=0, le=1000, description="warm, unassigned instances")
    instance_memory_mb: int = Field(700, ge=256)
    journal_dir: Path | None = Field(None, description="the gateway's journal; default <state>/journal")
    journal_fsync: bool = False
    log_format: Literal["json", "console"] = "json"

    @field_validator("master_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        try:
            length = len(b64decode(value.get_secret_value(), validate=True))
        except ValueError as error:
            raise ValueError("KONTOR_MASTER_KEY is not base64") from error
        if length != MASTER_KEY_BYTES:
            raise ValueError(f"KONTOR_MASTER_KEY holds {length} bytes, 32 are needed: openssl rand -base64 32")
        return value

    @field_validator("database_url", "database_app_url", "database_system_url", "database_gateway_url")
    @classmethod
    def _is_an_address(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_database(value.get_secret_value()):
            raise ValueError("is no address of a Postgres database: postgresql://user:password@host:5432/name")
        return value

    @property
    def master_key_bytes(self) -> bytes:
        """The master key itself."""
        return b64decode(self.master_key.get_secret_value())

    @property
    def keys_path(self) -> Path:
        """The folder of wrapped data keys."""
        return self.key_store_dir or self.state_dir / "keys"

    @property
    def files_location(self) -> str:
        """The object store's URL."""
        return self.files_url or (self.state_dir / "files").absolute().as_uri()

    @property
    def journal_path(self) -> Path:
        """The gateway's journal folder."""
        return self.journal_dir or self.state_dir / "journal"

    @property
    def scratch_path(self) -> Path:
        """Where exports are put together before they are sealed and stored."""
        return self.state_dir / "scratch"

    @property
    def instances_path(self) -> Path:
        """Where LocalRuntime keeps one folder per instance."""
        return self.state_dir / "instances"

    @property
    def models_url(self) -> str:
        """Where tenants' own programs reach models: the base URL of OpenAI's client libraries."""
        return f"{(self.gateway_public_url or self.gateway_url).rstrip('/')}/v1"

    @property
    def is_secure(self) -> bool:
        """Whether people reach us by TLS: decides the cookie's prefix and Secure flag."""
        return self.base_url.startswith("https://")


def _is_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"postgresql", "postgres"} and bool(parts.hostname or parts.query) and (parts.port != 0)
    except ValueError:  # a port that is no number
        return False
