"""What one request, one client and everybody together may take of the API."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from atomic_registry.resources.paging import MAX_LIST, MAX_PAGE
from tests.faces.api.conftest import USERS, Api

GROUPS = f"{USERS}/groups"


def read_slowly(api: Api, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the database take so long for each read."""
    quickly: Callable[..., Awaitable[object]] = api.store.read

    async def slowly(query: object) -> object:
        await asyncio.sleep(seconds)
        return await quickly(query)

    monkeypatch.setattr(api.store, "read", slowly)


@pytest.mark.parametrize("asked", ["10ms", "0.01s", "1us", "0h0m0.01s"])
async def test_a_request_that_takes_longer_than_it_asks_for_times_out(
    api: Api, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    read_slowly(api, monkeypatch, 30)

    answer = await api.get("root", f"{GROUPS}?timeout={asked}")

    assert (504, "Timeout") == (answer.status, answer.body["reason"])
    assert "may still take effect" in answer.body["message"]
    # Clients repeat by themselves what says when to come back, writes too.
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("asked", ["", "0", "0s", "9999h"])
async def test_nobody_gets_more_time_than_the_server_allows(
    api: Api, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr("tests.faces.api.conftest.SECONDS", 0.01)
    read_slowly(api, monkeypatch, 30)

    answer = await api.get("root", f"{GROUPS}?timeout={asked}")

    assert 504 == answer.status


@pytest.mark.parametrize(
    "asked", ["30", "-1s", "1x", "s", "1e3s", "1" * 40 + "s", "٣s", "1s1s" * 9]
)
async def test_a_timeout_that_is_no_duration_is_refused(api: Api, asked: str) -> None:
    answer = await api.get("root", f"{GROUPS}?timeout={asked}")

    assert (400, "BadRequest") == (answer.status, answer.body["reason"])
    assert "timeout" in answer.body["message"]


async def test_a_request_that_is_quick_enough_is_answered(api: Api) -> None:
    assert 200 == (await api.get("root", f"{GROUPS}?timeout=1m30.5s")).status


async def test_an_object_of_more_than_a_mebibyte_and_a_half_is_too_large(api: Api) -> None:
    at_most = 3 * 512 * 1024
    padding = " " * at_most

    answer = await api.call("root", "POST", GROUPS, f'{{"kind":"Group"{padding}}}'.encode())

    assert (413, "RequestEntityTooLarge") == (answer.status, answer.body["reason"])
    assert str(at_most) in answer.body["message"]


async def test_a_page_has_at_most_so_many_items_and_says_how_to_go_on(api: Api) -> None:
    for number in range(MAX_PAGE + 1):
        await api.post("root", GROUPS, {"metadata": {"name": f"g{number:04}"}})

    page = await api.get("root", f"{GROUPS}?limit={MAX_PAGE * 10}")
    rest = await api.get("root", f"{GROUPS}?limit=9&continue={page.body['metadata']['continue']}")
    whole = await api.get("root", GROUPS)

    assert MAX_PAGE == len(page.body["items"])
    assert ["g0500"] == [item["metadata"]["name"] for item in rest.body["items"]]
    assert "continue" not in rest.body["metadata"]
    # Who names no limit does not expect a second page, and gets a much longer first one.
    assert MAX_PAGE + 1 == len(whole.body["items"])
    assert MAX_PAGE < MAX_LIST
