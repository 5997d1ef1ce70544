"""A sample of every page of the portal, with realistic content."""

from kontor.app.portal.frame import Frame
from kontor.app.portal.render import View
from kontor.core.i18n import Lang
from support.portal import assistant, company, numbers, onboarding, ops, public


def pages(lang: Lang) -> dict[str, tuple[View, Frame]]:
    """Every page by a name of its own."""
    made: dict[str, tuple[View, Frame]] = {}
    for room in (public, onboarding, assistant, numbers, company, ops):
        made |= {name: (view, frame) for name, view, frame in room.samples(lang)}
    return made
