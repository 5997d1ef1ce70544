"""The database roles (architecture page, "Tenancy").

`kontor_owner` migrates, `kontor_app` serves one tenant per transaction, `kontor_gateway` meters, `kontor_system` logs
people in and runs schedules.
"""

from typing import Final

OWNER: Final = "kontor_owner"
APP: Final = "kontor_app"
GATEWAY: Final = "kontor_gateway"
SYSTEM: Final = "kontor_system"
ROLES: Final = (OWNER, APP, GATEWAY, SYSTEM)
