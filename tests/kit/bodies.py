"""Bodies of requests that no socket delivers."""

from collections.abc import AsyncIterator


class BytesBody:
    """A request body that is there already."""

    def __init__(self, content: bytes) -> None:
        self.length: int | None = len(content)
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._content:
            yield self._content
