"""What the tests of the OAuth face share."""

import pytest

from atomic_registry.web.messages import Response
from tests.faces.oauth.browser import Server, json_of, make_server

GOOD = "https://good.example/cb"


@pytest.fixture
async def server() -> Server:
    made = await make_server()
    await made.add_client("good", redirect_uris=[GOOD])
    return made


def error_of(answer: Response) -> str:
    assert isinstance(answer.body, bytes)
    return str(json_of(answer.body)["error"])
