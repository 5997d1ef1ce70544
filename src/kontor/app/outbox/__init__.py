"""The mail outbox of `kontor up`: takes every mail by SMTP, delivers none, shows all on a page and as JSON.

For one machine, on 127.0.0.1 only: whoever can open its page can use the links in the mails. It stands for the
recipients' mailboxes, so an erased tenant's mails stay here as they would stay there.
"""

from kontor.app.outbox.server import Outbox, run_outbox

__all__ = ["Outbox", "run_outbox"]
