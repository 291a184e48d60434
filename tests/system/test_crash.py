"""kill -9 of a worker and of the whole service while a client pushes: what got a 201 stays."""

import http.client
import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.http import RegistryClient
from tests.kit.images import image
from tests.kit.optional import lacking
from tests.kit.registry import Registry, running_registry, wait_until

# Against a start that hangs; how long it took is printed.
RESTART_SECONDS = 20.0
ROUNDS = 4
REPOSITORY = "crash/loop"


class Pusher:
    """A thread that pushes distinct images in a loop and remembers every acknowledged one."""

    def __init__(self, host: str, prefix: str) -> None:
        self.acknowledged: dict[str, str] = {}
        self.refused: list[tuple[str, int]] = []
        self._host = host
        self._prefix = prefix
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._push_until_stopped, daemon=True)

    def __enter__(self) -> "Pusher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the pushing thread did not end"

    def _push_until_stopped(self) -> None:
        number = 0
        while not self._stop.is_set():
            tag = f"{self._prefix}-{number}"
            number += 1
            one = image(tag, size=20_000)
            try:
                with RegistryClient(self._host, timeout=20) as client:
                    answer = client.push_image(REPOSITORY, tag, one)
            except (OSError, http.client.HTTPException):
                self._stop.wait(0.01)
                continue
            if answer.status == 201:
                self.acknowledged[tag] = one.manifest.digest
            else:
                self.refused.append((tag, answer.status))

    def wait_for_pushes(self, count: int) -> None:
        """Returns when `count` further pushes were acknowledged."""
        target = len(self.acknowledged) + count
        wait_until(f"{count} more pushes", lambda: len(self.acknowledged) >= target, 60)


def assert_all_complete(registry: Registry, acknowledged: dict[str, str]) -> None:
    with RegistryClient(registry.host) as client:
        listed = client.tags(REPOSITORY)
        assert set(acknowledged) <= set(listed)
        for tag in listed:
            client.assert_pullable(REPOSITORY, tag)
        for tag, digest in acknowledged.items():
            answer = client.pull_manifest(REPOSITORY, tag)
            assert digest == answer.headers["docker-content-digest"]


def kill_one_worker(registry: Registry, chance: random.Random) -> None:
    pid = chance.choice(registry.worker_pids())
    os.kill(pid, signal.SIGKILL)
    if pid == registry.process.pid:  # a server without workers
        registry.process.wait(20)


def kill_everything(registry: Registry, chance: random.Random) -> None:
    del chance
    registry.kill9()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kill", [kill_one_worker, kill_everything])
def test_every_acknowledged_push_is_whole_after_kill_9(
    tmp_path: Path, kill: Callable[[Registry, random.Random], None], seed: int
) -> None:
    chance = random.Random(seed)
    print(f"seed {seed}")
    acknowledged: dict[str, str] = {}
    with running_registry(tmp_path, workers=2) as registry:
        for number in range(ROUNDS):
            with Pusher(registry.host, f"s{seed}r{number}") as pusher:
                pusher.wait_for_pushes(chance.randint(1, 4))
                pause = chance.uniform(0, 0.05)
                print(f"round {number}: kill after {len(pusher.acknowledged)} + {pause:.4f} s")
                threading.Event().wait(pause)
                kill(registry, chance)
                if registry.process.poll() is None:
                    pusher.wait_for_pushes(2)
            acknowledged |= pusher.acknowledged
            if registry.process.poll() is not None:
                print(f"restart took {registry.start(within=RESTART_SECONDS):.2f} s")
            assert registry.answers()
            assert_all_complete(registry, acknowledged)
        registry.restart()
        assert_all_complete(registry, acknowledged)


def test_a_killed_worker_is_replaced_and_the_service_stays_up(tmp_path: Path) -> None:
    with running_registry(tmp_path, workers=2) as registry:
        before = registry.worker_pids()
        if before == [registry.process.pid]:
            lacking("this registry forks no workers")
        os.kill(before[0], signal.SIGKILL)
        wait_until(
            "a new worker",
            lambda: (
                before[0] not in registry.worker_pids()
                and len(registry.worker_pids()) >= len(before)
            ),
            20,
        )
        wait_until("the service answers", registry.answers, 10)
        assert registry.process.poll() is None
