"""A step that did not go as it should."""


class StepFailed(Exception):
    """Why. `code` is the service's own (of its problem), or begins with `journey.` when it is our finding."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def expect(*, holds: bool, code: str, detail: str) -> None:
    """Raises StepFailed unless it holds."""
    if not holds:
        raise StepFailed(f"journey.{code}", detail)
