"""Every table of the product in one place, for migrations and for the tests of the schema."""

import importlib
import pkgutil

import kontor.billing
import kontor.core
import kontor.tenants
from kontor.core.db import Base

# Tables live in the room of their idea; each module that declares some is called `model` or belongs to core.
for _package in (kontor.core, kontor.tenants, kontor.billing):
    for _module in pkgutil.walk_packages(_package.__path__, _package.__name__ + "."):
        # `migrate` has no table and brings Alembic, which no serving process needs.
        of_core = _module.name.rpartition(".")[0] == "kontor.core" and _module.name != "kontor.core.migrate"
        if of_core or _module.name.endswith(".model"):
            importlib.import_module(_module.name)

METADATA = Base.metadata
