"""The company: created at sign-up, read, corrected."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from kontor.app.api.ids import TenantIdText
from kontor.app.api.schemas import Answer, Body
from kontor.app.api.texts import Line, Prose
from kontor.app.http.deps import AdminCaller, Caller, ContainerDep, PersonCaller, scoped
from kontor.app.http.errors import problems
from kontor.app.http.etags import etag, expected_revision
from kontor.app.http.idempotency import IdempotentRoute
from kontor.core.errors import DomainError, Kind
from kontor.core.i18n import Lang, Text
from kontor.tenants.lifecycle.company import Company, company_of
from kontor.tenants.lifecycle.create import create_tenant, new_tenant
from kontor.tenants.lifecycle.edit_company import edit_company
from kontor.tenants.lifecycle.rows import tenant_of
from kontor.tenants.model import Tenant
from kontor.tenants.people import sessions

router = APIRouter(prefix="/api/v1", tags=["company"], route_class=IdempotentRoute)

ReaderCaller = Annotated[Caller, Depends(scoped("read"))]


class ResidencyNotServed(DomainError):
    """No model can be reached under this choice."""

    def __init__(self) -> None:
        super().__init__(
            Kind.INVALID,
            "company.residency_not_served",
            Text(
                de="Unter dieser Wahl des Datenstandorts ist gerade kein Modell verfügbar. Wählen Sie einen anderen.",
                en="No model is available under this choice of data residency just now. Choose another one.",
            ),
        )


class CompanyIn(Body):
    """A company that signs up."""

    legal_name: Line = Field(examples=["Bäckerei Müller GmbH"])
    street: Line = Field(examples=["Königstraße 1"])
    postcode: Annotated[Line, Field(max_length=16)] = Field(examples=["70173"])
    city: Line = Field(examples=["Stuttgart"])
    country: str = Field(min_length=2, max_length=2, examples=["DE"])
    is_business: bool = Field(examples=[True])
    industry: str = Field(max_length=40, examples=["general"])
    use_case: Annotated[Prose, Field(min_length=1, max_length=2000)] = Field(examples=["Fragen unserer Kunden"])
    residency: str = Field("eu", max_length=10, examples=["eu"])
    plan: Literal["starter", "professional", "enterprise", "pilot"] = Field(examples=["pilot"])
    seats: int = Field(1, ge=1, le=10_000)
    language: Lang | None = None


class CompanyPatch(Body):
    """What is to change; what is left out stays."""

    legal_name: Line | None = None
    street: Line | None = Field(None, examples=["Münsterplatz 2"])
    postcode: Annotated[Line, Field(max_length=16)] | None = Field(None, examples=["89073"])
    city: Line | None = Field(None, examples=["Ulm"])
    country: Annotated[str, Field(min_length=2, max_length=2)] | None = None
    industry: Annotated[str, Field(max_length=40)] | None = None
    use_case: Annotated[Prose, Field(min_length=1, max_length=2000)] | None = None
    residency: Annotated[str, Field(max_length=10)] | None = None
    language: Lang | None = None
    retention_days: Literal[30, 60, 90] | None = Field(None, description="conversations older than this are erased")


class CompanyOut(Answer):
    """The company as it is stored."""

    id: TenantIdText
    slug: str
    legal_name: str
    street: str
    postcode: str
    city: str
    country: str
    industry: str
    use_case: str
    residency: str
    plan: str
    is_pilot: bool
    seats: int
    language: Lang
    state: str
    retention_days: int
    created_at: datetime
    activated_at: datetime | None


@router.post("/tenants", status_code=201, responses=problems(409))
async def create_company(
    body: CompanyIn, caller: PersonCaller, container: ContainerDep, response: Response
) -> CompanyOut:
    """A new company with the caller as its owner; the session acts in it from now on. Its contracts come next."""
    if body.residency in container.catalogue.residencies and not container.paper.deployments.serves(body.residency):
        raise ResidencyNotServed
    tenant = await new_tenant(container.vault)
    company = Company(
        legal_name=body.legal_name,
        street=body.street,
        postcode=body.postcode,
        city=body.city,
        country=body.country.upper(),
        is_business=body.is_business,
        industry=body.industry,
        use_case=body.use_case,
        residency=body.residency,
        plan="starter" if body.plan == "pilot" else body.plan,
        is_pilot=body.plan == "pilot",
        seats=body.seats,
        language=body.language or caller.lang,
    )
    async with container.database.system_uow() as tx:
        row = await create_tenant(tx, tenant, company, caller.person, caller.actor, catalogue=container.catalogue)
        await tx.flush()
        await sessions.switch(tx, caller.session, caller.person, tenant)
        out = await _out(container, row)
    response.headers["ETag"] = etag(row.revision)
    response.headers["Location"] = "/api/v1/tenant"
    return out


@router.get("/tenant", responses=problems())
async def read_company(caller: ReaderCaller, container: ContainerDep, response: Response) -> CompanyOut:
    """The active company. The ETag comes back with a change."""
    async with container.database.uow(caller.tenant) as tx:
        row = await tenant_of(tx, caller.tenant)
        out = await _out(container, row)
    response.headers["ETag"] = etag(row.revision)
    return out


@router.patch("/tenant", responses=problems(409, 412, 428))
async def change_company(
    body: CompanyPatch,
    caller: AdminCaller,
    container: ContainerDep,
    expected: Annotated[int, Depends(expected_revision)],
    response: Response,
) -> CompanyOut:
    """The company is as given. What decides the contracts is fixed once they are accepted."""
    changes = body.model_dump(exclude_none=True)
    async with container.database.uow(caller.tenant) as tx:
        row = await edit_company(
            tx, caller.tenant, changes, caller.actor, expected=expected, catalogue=container.catalogue
        )
        out = await _out(container, row)
    response.headers["ETag"] = etag(row.revision)
    return out


async def _out(container: ContainerDep, row: Tenant) -> CompanyOut:
    company = await company_of(container.vault, row)
    return CompanyOut(
        id=row.id,
        slug=row.slug,
        legal_name=company.legal_name,
        street=company.street,
        postcode=company.postcode,
        city=company.city,
        country=company.country,
        industry=company.industry,
        use_case=company.use_case,
        residency=company.residency,
        plan=company.plan,
        is_pilot=company.is_pilot,
        seats=company.seats,
        language=company.language,
        state=row.state,
        retention_days=row.retention_days,
        created_at=row.created_at,
        activated_at=row.activated_at,
    )
