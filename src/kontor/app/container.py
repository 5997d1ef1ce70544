"""The composition root: settings in, wired parts out; each process takes what it needs."""

from kontor.app.adapters import (
    ConfiguredDeployments,
    MeteredKeys,
    PricedPlans,
    RecordedProviderOutages,
    RecordedUsage,
)
from kontor.app.assistant_dialects import AssistantDialects
from kontor.app.model_access import ModelAccess
from kontor.app.providers import catalogue_of
from kontor.billing import plans
from kontor.billing.metering.policy.packs import load_packs
from kontor.core import postgres
from kontor.core.clock import Clock, SystemClock
from kontor.core.crypto import FolderKeyStore, Vault
from kontor.core.db import Database
from kontor.core.files import Files
from kontor.core.mail import MailServer
from kontor.core.settings import Settings
from kontor.tenants.contracts import catalogue
from kontor.tenants.contracts.acceptance import Paper
from kontor.tenants.leaving.register import FolderRegister
from kontor.tenants.people.passwords import Passwords
from kontor.tenants.people.sign_up import Links
from kontor.tenants.provisioning.talk import http_client
from kontor.tenants.sellers import load_sellers
from kontor.tenants.talk.ask import Desk


class Container:
    """Everything that is shared in one process. Nothing connects before it is used."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.vault = Vault(FolderKeyStore(settings.keys_path), settings.master_key_bytes)
        self.database = Database(postgres.urls(settings), self.clock, self.vault, pool_size=settings.database_pool_size)
        self.files = Files(settings.files_location, self.vault)
        self.passwords = Passwords()
        self.links = Links(settings.base_url)
        self.mail_server = MailServer(settings.smtp_url.get_secret_value(), settings.mail_from)
        self.catalogue = catalogue.packaged()
        self.sellers = load_sellers(settings.base_url, settings.sellers_file)
        self.prices = plans.load(settings.plans_file)
        self.packs = load_packs(settings.policy_dir)
        self.keys = MeteredKeys(self.prices, self.catalogue)
        models = catalogue_of(settings, self.catalogue)
        self.dialects = AssistantDialects(models, self.catalogue)
        self.model_access = ModelAccess(self.prices, self.catalogue, models)
        self.usage = RecordedUsage()
        self.provider_outages = RecordedProviderOutages(self.dialects)
        self.erasures = FolderRegister(settings.keys_path.parent / "erasures.jsonl")
        self.desk = Desk(self.database, self.sellers, http_client())
        currencies = {code: country.currency for code, country in self.catalogue.countries.items()}
        self.paper = Paper(
            self.catalogue,
            self.sellers,
            PricedPlans(self.prices, currencies),
            ConfiguredDeployments(settings, self.catalogue, models),
        )

    async def close(self) -> None:
        """Connections are closed."""
        await self.desk.close()
        await self.database.close()
