"""How long work tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Told from several threads; it must not fail."""

    def begin(self, what: str, total: int) -> None:
        """Begin a part of the work, of so many bytes."""
        ...

    def add(self, count: int) -> None:
        """So many bytes more are done."""
        ...

    def note(self, text: str) -> None:
        """Something that a person should know."""
        ...
