"""How many requests run at once, and who waits."""

import asyncio

import pytest

from atomic_registry.errors import TooMany
from atomic_registry.web.gate import Gate, GateLimits


def make(running: int, waiting: int = 0, seconds: float = 5) -> Gate:
    return Gate("pulls", GateLimits(running=running, waiting=waiting, wait_seconds=seconds))


async def test_above_the_limit_a_request_is_refused_when_none_may_wait() -> None:
    gate = make(2)
    await gate.enter()
    await gate.enter()
    with pytest.raises(TooMany, match="too many pulls: at most 2"):
        await gate.enter()
    gate.leave()
    await gate.enter()


async def test_those_who_wait_come_in_in_their_order() -> None:
    gate, seen = make(1, waiting=2), []

    async def pass_through(name: str) -> None:
        await gate.enter()
        seen.append(name)
        gate.leave()

    await gate.enter()
    tasks = [asyncio.create_task(pass_through(name)) for name in ("first", "second")]
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await gate.enter()
    gate.leave()
    await asyncio.gather(*tasks)
    assert seen == ["first", "second"]
    await gate.enter()


async def test_who_waits_too_long_is_refused_and_takes_no_place() -> None:
    gate = make(1, waiting=1, seconds=0.01)
    await gate.enter()
    with pytest.raises(TooMany):
        await gate.enter()
    gate.leave()
    await gate.enter()


async def test_who_goes_while_waiting_takes_no_place() -> None:
    gate = make(1, waiting=1)
    await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.leave()
    await gate.enter()


async def test_who_goes_as_its_turn_comes_leaves_the_place_to_others() -> None:
    gate = make(1, waiting=1)
    await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    gate.leave()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await gate.enter()
