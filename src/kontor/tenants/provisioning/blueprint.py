"""What an instance is to run with, built from the rows: its secrets, and files that say who it is.

Rows are read in one short unit of work; sealed values are opened after it, because the key store is remote.
"""

from dataclasses import dataclass

from sqlalchemy import select

from kontor.core.crypto import KeyDestroyed
from kontor.core.db import Database
from kontor.core.i18n import DEFAULT, as_lang
from kontor.core.ids import InstanceId
from kontor.tenants.lifecycle.assistant import opened
from kontor.tenants.lifecycle.company import profile_of
from kontor.tenants.model import Tenant
from kontor.tenants.provisioning.model import Assignment, AssistantSettings, Instance
from kontor.tenants.provisioning.openclaw_config import workspace_files
from kontor.tenants.provisioning.runtime import RuntimeFailure
from kontor.tenants.provisioning.secrets import open_secrets
from kontor.tenants.provisioning.spec import InstanceSpec, as_dialect
from kontor.tenants.sellers import DEFAULT_SELLER, Sellers


@dataclass(frozen=True, slots=True)
class _Rows:
    instance: Instance
    tenant: Tenant | None
    settings: AssistantSettings | None


class Blueprint:
    """Specs and files of instances. `gateway_url` is where they reach the LLM gateway."""

    def __init__(self, database: Database, sellers: Sellers, gateway_url: str) -> None:
        self._database = database
        self._sellers = sellers
        self._gateway_url = gateway_url

    async def spec(self, instance: InstanceId) -> InstanceSpec:
        """All that a runtime needs to start it, or to write it anew.

        Raises RuntimeFailure: no row, no secrets, or their key is gone.
        """
        rows = await self._rows(instance)
        try:
            secrets = await open_secrets(self._database.vault, rows.instance)
        except KeyDestroyed as error:
            raise RuntimeFailure("internal", "the data key of the instance's secrets is destroyed") from error
        if secrets is None:
            raise RuntimeFailure("internal", "the instance has no secrets yet")
        return InstanceSpec(
            instance=instance,
            release=rows.instance.release,
            revision=rows.instance.revision,
            files=await self._files(rows),
            memory_mb=rows.instance.memory_mb,
            gateway_url=self._gateway_url,
            token=secrets.token,
            gateway_key=secrets.gateway_key,
            dialect=as_dialect(rows.instance.dialect),
        )

    async def _files(self, rows: _Rows) -> dict[str, str]:
        if rows.tenant is None or rows.settings is None:
            operator = self._sellers.of(DEFAULT_SELLER)
            return workspace_files(
                display_name="Assistent",
                company=operator.brand,
                operator=operator.legal_name,
                language=DEFAULT,
                system_prompt="",
            )
        try:
            text = await opened(self._database.vault, rows.settings)
            profile = await profile_of(self._database.vault, rows.tenant)
        except KeyDestroyed as error:
            raise RuntimeFailure("internal", "the tenant's data key is destroyed") from error
        language = as_lang(rows.tenant.language) or DEFAULT
        return workspace_files(
            display_name=text.display_name,
            company=profile.legal_name,
            operator=self._sellers.of(rows.tenant.seller).legal_name,
            language=language,
            system_prompt=text.system_prompt,
        )

    async def _rows(self, instance: InstanceId) -> _Rows:
        async with self._database.system_uow() as tx:
            found = (
                await tx.execute(
                    select(Instance, Tenant, AssistantSettings)
                    .select_from(Instance)
                    .outerjoin(Assignment, Assignment.instance_id == Instance.id)
                    .outerjoin(Tenant, Tenant.id == Assignment.tenant_id)
                    .outerjoin(AssistantSettings, AssistantSettings.tenant_id == Tenant.id)
                    .where(Instance.id == instance)
                )
            ).one_or_none()
        if found is None:
            raise RuntimeFailure("internal", "the instance has no row any more")
        return _Rows(*found)
