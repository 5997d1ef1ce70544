"""Tables of persons, sign-ups, sessions, memberships, invitations and API keys.

A person is global; its personal columns are sealed under the person's own data key and its e-mail address is found
by a blind index. A membership is the tenant's.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from kontor.core.db import Base
from kontor.core.tenancy import personal, shared_table, tenant_table, visible_through


class Role(StrEnum):
    """Roles inside a tenant (product page, "Who uses it")."""

    OWNER = "owner"
    ADMIN = "admin"
    BILLING = "billing"
    VIEWER = "viewer"


class OperatorRole(StrEnum):
    """Roles of the operator's staff."""

    OPERATOR = "operator"
    SUPPORT = "support"
    FINANCE = "finance"


class Person(Base):
    """A human being with one e-mail address."""

    __tablename__ = "persons"
    __table_args__ = (
        shared_table(
            why="one person may work in several tenants",
            app="SELECT",
            visible=visible_through("memberships", "person_id", "persons.id"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email_index: Mapped[bytes] = mapped_column(
        unique=True, info=personal(sealed=False, why="HMAC under the master key; finds the address without holding it")
    )
    email: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    name: Mapped[bytes | None] = mapped_column(info=personal(sealed=True))
    password_hash: Mapped[str]
    language: Mapped[str]
    operator_role: Mapped[str | None]
    totp_secret: Mapped[bytes | None] = mapped_column(info=personal(sealed=True))
    totp_last_step: Mapped[int | None]
    created_at: Mapped[datetime]


class SignUp(Base):
    """An attempt to sign up: becomes a person only by its own link, so that nobody can prepare another's account."""

    __tablename__ = "sign_ups"
    __table_args__ = (shared_table(why="there is no tenant yet"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email_index: Mapped[bytes] = mapped_column(index=True, info=personal(sealed=False, why="HMAC, as in persons"))
    email: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    password_hash: Mapped[str]
    language: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class PasswordReset(Base):
    """A single-use link to a new password."""

    __tablename__ = "password_resets"
    __table_args__ = (shared_table(why="belongs to a person"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class Session(Base):
    """A login. The browser holds the secret, we its hash; `tenant_id` is the active tenant."""

    __tablename__ = "sessions"
    __table_args__ = (shared_table(why="a login comes before any tenant"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    tenant_id: Mapped[UUID | None] = mapped_column(ForeignKey("tenants.id", ondelete="SET NULL"), index=True)
    is_strong: Mapped[bool] = mapped_column(default=False)
    address: Mapped[bytes | None] = mapped_column(info=personal(sealed=True))
    user_agent: Mapped[bytes | None] = mapped_column(info=personal(sealed=True))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Membership(Base):
    """A person's role in a tenant."""

    __tablename__ = "memberships"
    __table_args__ = (tenant_table(),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True, index=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    role: Mapped[str]
    created_at: Mapped[datetime]


class Invitation(Base):
    """An offer of a role to an address; accepted by a single-use link."""

    __tablename__ = "invitations"
    __table_args__ = (
        Index(
            "uq_invitations_open",
            "tenant_id",
            "email_index",
            unique=True,
            postgresql_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
        ),
        tenant_table(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    email_index: Mapped[bytes] = mapped_column(info=personal(sealed=False, why="HMAC, as in persons"))
    email: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    role: Mapped[str]
    invited_by: Mapped[UUID]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ApiKey(Base):
    """A key for the tenant's own programs: hashed, scoped, shown once."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("tenant_id", "id"), tenant_table())

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), index=True)
    name: Mapped[bytes] = mapped_column(info=personal(sealed=True))
    hint: Mapped[str]
    key_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
