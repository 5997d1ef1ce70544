"""The one page on which something that happened meets what is done about it."""

from kontor.app.container import Container
from kontor.core.events import Reactions


def reactions(container: Container) -> Reactions:
    """For each event what follows. Each reaction re-reads the rows: events come in any order and twice."""
    del container
    return {}
