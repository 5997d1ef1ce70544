"""Tables of metering: keys of the gateway, usage events and hourly sums, prices and exchange rates, what was refused.

Owns shapes and rights. The gateway's hot path reads and writes them with its own statements (keys, recorder); the
rest of the product goes through `gateway_keys`, `price_book` and `billing.queries`.

`usage_events` has a partition for each month. Its primary key begins with the day, which is derived from the UUIDv7
that we mint: a replayed record always meets its own row in its own partition. Who makes partitions: partitions.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import OF_TENANT, personal, shared_table, tenant_table


class GatewayKey(Base):
    """The right of one instance, or of a tenant's own programs, to call models. Only the secret's hash is kept.

    `tenant_id` is empty until the instance is assigned; the gateway refuses such a key. `changed_at` is the
    database's clock: gateways poll by it. `content_key` is the public key of the tenant's content log while that is on.
    A direct key has the tenant's `name` for it and a `hint`, how its secret begins; the recorder writes when it was
    last used, to the minute.
    """

    __tablename__ = "gateway_keys"
    __table_args__ = (
        CheckConstraint("kind IN ('instance', 'direct')", name="kind"),
        CheckConstraint("state IN ('active', 'suspended')", name="state"),
        CheckConstraint("language IN ('de', 'en')", name="language"),
        CheckConstraint("kind = 'direct' OR instance_id IS NOT NULL", name="instance"),
        # UPDATE of one column nobody reads is what lets the recorder lock the rows whose usage it writes.
        shared_table(
            why="a key exists before its instance has a tenant",
            app="SELECT, INSERT, UPDATE, DELETE",
            visible=OF_TENANT,
            gateway="SELECT, UPDATE (recorder_lock, last_used_at)",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    kind: Mapped[str]
    instance_id: Mapped[UUID | None] = mapped_column(index=True)
    tenant_id: Mapped[UUID | None] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(server_default="active")
    language: Mapped[str] = mapped_column(server_default="de")
    residency: Mapped[str] = mapped_column(server_default="eu")
    pack: Mapped[str] = mapped_column(server_default="general")
    name: Mapped[bytes | None] = mapped_column(info=personal(sealed=True))
    hint: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    content_key: Mapped[bytes | None]
    changed_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"), index=True)
    recorder_lock: Mapped[bool | None]


class UsageEvent(Base):
    """One call to a model that may have cost something.

    Token counts are the provider's (`source` reported) or ours (`estimated`); `input_tokens` includes cached ones and
    those written to a cache, `output_tokens` includes reasoning. `amount_nano` is in the provider's currency,
    `cost_nano` in EUR; both are empty when no price was known (unpriced, never zero).
    """

    __tablename__ = "usage_events"
    __table_args__ = (
        Index("ix_usage_events_tenant_id_at", "tenant_id", "at"),
        Index("ix_usage_events_unpriced", "provider", "model", postgresql_where=text("cost_nano IS NULL")),
        CheckConstraint("source IN ('reported', 'estimated')", name="source"),
        CheckConstraint("(cost_nano IS NULL) = (amount_nano IS NULL)", name="priced"),
        {"postgresql_partition_by": "RANGE (day)"} | tenant_table(app="SELECT, DELETE", gateway="SELECT, INSERT"),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    instance_id: Mapped[UUID | None]
    key_id: Mapped[UUID]
    model_asked: Mapped[str]
    model: Mapped[str]
    provider: Mapped[str]
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cache_write_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    amount_nano: Mapped[int | None] = mapped_column(BigInteger)
    price_id: Mapped[UUID | None]
    rate_id: Mapped[UUID | None]
    cost_nano: Mapped[int | None] = mapped_column(BigInteger)
    source: Mapped[str]
    outcome: Mapped[str]
    latency_ms: Mapped[int] = mapped_column(BigInteger)
    first_token_ms: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime]


class UsageHour(Base):
    """The sums of a tenant's events of one model in one hour (UTC), written in the events' own statement."""

    __tablename__ = "usage_hourly"
    __table_args__ = (tenant_table(app="SELECT, DELETE", gateway="SELECT, INSERT, UPDATE"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    events: Mapped[int] = mapped_column(BigInteger)
    unpriced_events: Mapped[int] = mapped_column(BigInteger)
    estimated_events: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cache_write_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_nano: Mapped[int] = mapped_column(BigInteger)


class ModelPrice(Base):
    """What a provider asks for a million tokens of a model from `valid_from` on, in nano-units of its currency.

    An empty cache price means that such tokens cost as much as other input. `source` is `shipped`, `operator`, or
    `genai-prices` with its version.
    """

    __tablename__ = "model_prices"
    __table_args__ = (
        UniqueConstraint("provider", "model", "valid_from"),
        shared_table(why="prices are the providers'", app="SELECT", gateway="SELECT", visible="true"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider: Mapped[str]
    model: Mapped[str]
    currency: Mapped[str]
    input_nano_per_million: Mapped[int] = mapped_column(BigInteger)
    cached_nano_per_million: Mapped[int | None] = mapped_column(BigInteger)
    cache_write_nano_per_million: Mapped[int | None] = mapped_column(BigInteger)
    output_nano_per_million: Mapped[int] = mapped_column(BigInteger)
    valid_from: Mapped[datetime]
    source: Mapped[str] = mapped_column(server_default="shipped")


class ExchangeRate(Base):
    """What one unit of a currency is worth in a Berlin month, in nano-EUR; set before the month begins, then fixed."""

    __tablename__ = "exchange_rates"
    __table_args__ = (
        UniqueConstraint("currency", "valid_from"),
        shared_table(why="rates are the central bank's", app="SELECT", gateway="SELECT", visible="true"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
    nano_eur: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str]


class PolicyHits(Base):
    """How often requests of a Berlin day were refused by the acceptable-use policy; nothing of what was said."""

    __tablename__ = "policy_hits"
    __table_args__ = (
        Index("ix_policy_hits_day", "day"),
        tenant_table(app="SELECT, DELETE", gateway="SELECT, INSERT, UPDATE"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(primary_key=True)
    hits: Mapped[int] = mapped_column(BigInteger)


class PolicyAlert(Base):
    """The last Berlin day on which a tenant's hits were too many, how many, and when the operator was told of it."""

    __tablename__ = "policy_alerts"
    __table_args__ = (tenant_table(app="SELECT, DELETE"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date]
    hits: Mapped[int] = mapped_column(BigInteger)
    told_at: Mapped[datetime | None]


class GatewayRefusals(Base):
    """How many requests of a tenant's keys the gateway refused on a Berlin day, by stable code."""

    __tablename__ = "gateway_refusals"
    __table_args__ = (tenant_table(app="SELECT, DELETE", gateway="SELECT, INSERT, UPDATE"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger)
