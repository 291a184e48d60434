"""The root of the tree, and how messages quote what clients sent."""

Detail = str | int | list[str]


class DomainError(Exception):
    """An error with a message for people and the facts behind it for programs."""

    def __init__(self, message: str, **detail: Detail) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


def clip(text: str) -> str:
    """Shorten what a client sent, on one line."""
    shown = text if len(text) <= 200 else text[:200] + "…"
    return shown if shown.isprintable() else repr(shown)


def shorten(text: str) -> str:
    """Quote what a client sent so that it can stand in a log line or a message."""
    return repr(text if len(text) <= 100 else text[:100] + "…")
