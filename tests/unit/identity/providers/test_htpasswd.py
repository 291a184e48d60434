import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import argon2
import bcrypt
import pytest
from structlog.testing import capture_logs

from atomic_registry.errors import ProviderFailed
from atomic_registry.identity.providers.htpasswd import HTPasswd
from atomic_registry.identity.providers.password_hashes import PasswordHash, parse_hash

ARGON2 = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
# Made by `htpasswd -nbm`, `htpasswd -nbs` and `openssl passwd -apr1`, password "myPassword".
APR1 = "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/"
SHA = "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE="


def bcrypted(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.htpasswd"


@pytest.fixture
def provider(path: Path) -> Iterator[HTPasswd]:
    provider = HTPasswd(name="htpasswd", path=path)
    yield provider
    provider.close()


async def knows(provider: HTPasswd, user: str, password: str) -> bool:
    return await provider.authenticate(user, password) is not None


@pytest.mark.parametrize(
    "text",
    [
        APR1,
        SHA,
        bcrypted("myPassword"),
        bcrypted("myPassword").replace("$2b$", "$2y$"),
        bcrypted("myPassword").replace("$2b$", "$2a$"),
        ARGON2.hash("myPassword"),
    ],
    # Salts differ from run to run, and parallel runners compare names.
    ids=["apr1", "sha", "2b", "2y", "2a", "argon2"],
)
async def test_each_kind_of_hash_is_checked(path: Path, provider: HTPasswd, text: str) -> None:
    path.write_text(f"# users\n\nmary:{text}\n")
    assert await knows(provider, "mary", "myPassword")
    assert not await knows(provider, "mary", "mypassword")
    assert not await knows(provider, "mary", "myPassword ")


@pytest.mark.parametrize(
    "text",
    [
        "rl.3StKT.4T8M",
        "myPassword",
        "{PLAIN}myPassword",
        "$1$abc$def",
        "$6$abc$def",
        "{SHA}AAAA",
        "{SHA}not base64",
        "$2y$31$" + "a" * 53,
        "$2y$10$short",
        "$apr1$r31.....$short",
        "$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b6dWRWJTmaaJObG",
        "$argon2id$nonsense",
        "",
    ],
)
async def test_other_hashes_are_ignored_and_reported_without_their_text(
    path: Path, provider: HTPasswd, text: str
) -> None:
    path.write_text(f"mary:{text}\nbob:{SHA}\n")
    with capture_logs() as logs:
        assert not await knows(provider, "mary", "myPassword")
        assert await knows(provider, "bob", "myPassword")
    assert [1] == [log["line"] for log in logs]
    assert not text or text not in str(logs)


async def test_a_bcrypt_password_over_72_bytes_is_refused_and_costs_as_much(
    path: Path, provider: HTPasswd
) -> None:
    path.write_text(f"mary:{bcrypted('x' * 72)}\n")
    assert await knows(provider, "mary", "x" * 72)
    assert not await knows(provider, "mary", "x" * 73)
    assert not await knows(provider, "mary", "x" * 71 + "\u00e9")
    known = parse_hash(bcrypted("x" * 72, 10))
    assert known is not None
    assert 0.5 < seconds(known, b"x" * 73) / seconds(known, b"y" * 10) < 2


def seconds(known: PasswordHash, password: bytes) -> float:
    """Return the least processor time of three, which other work on the machine disturbs least."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        known.matches(password)
        taken.append(time.process_time() - start)
    return min(taken)


async def test_long_passwords_are_good_where_the_hash_sees_all_of_them(
    path: Path, provider: HTPasswd
) -> None:
    path.write_text(f"mary:{ARGON2.hash('x' * 200)}\n")
    assert await knows(provider, "mary", "x" * 200)
    assert not await knows(provider, "mary", "x" * 199)


async def test_time_tells_neither_whether_a_user_exists_nor_how_the_password_is_hashed(
    path: Path, provider: HTPasswd
) -> None:
    path.write_text(f"slow:{bcrypted('a', 11)}\nquick:{SHA}\n")

    async def least(user: str) -> float:
        taken = []
        for _ in range(3):
            start = time.process_time()
            assert not await knows(provider, user, "wrong")
            taken.append(time.process_time() - start)
        return min(taken)

    times = [await least(user) for user in ("slow", "quick", "nobody")]
    assert max(times) < 1.6 * min(times)


async def test_hashing_does_not_block_the_loop(path: Path, provider: HTPasswd) -> None:
    path.write_text(f"mary:{bcrypted('a', 12)}\n")
    asked = asyncio.create_task(provider.authenticate("mary", "b"))
    turns = 0
    while not asked.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 10


async def test_a_changed_file_is_read_again(path: Path, provider: HTPasswd) -> None:
    path.write_text(f"mary:{bcrypted('old')}\n")
    assert await knows(provider, "mary", "old")
    version = provider.version
    path.write_text(f"mary:{bcrypted('newer')}\nbob:{SHA}\n")
    assert version != provider.version
    assert not await knows(provider, "mary", "old")
    assert await knows(provider, "mary", "newer")


async def test_a_file_replaced_by_one_of_the_same_size_and_time_is_read_again(
    path: Path, provider: HTPasswd
) -> None:
    path.write_text(f"mary:{bcrypted('old')}\n")
    assert await knows(provider, "mary", "old")
    status = path.stat()
    new = path.with_suffix(".new")
    new.write_text(f"mary:{bcrypted('new')}\n")
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(path)
    assert await knows(provider, "mary", "new")


async def test_a_file_that_vanished_leaves_the_known_passwords_and_one_log_line(
    path: Path, provider: HTPasswd
) -> None:
    path.write_text(f"mary:{SHA}\n")
    assert await knows(provider, "mary", "myPassword")
    path.unlink()
    with capture_logs() as logs:
        assert await knows(provider, "mary", "myPassword")
        assert await knows(provider, "mary", "myPassword")
    assert ["error"] == [log["log_level"] for log in logs]
    path.write_text(f"bob:{SHA}\n")
    assert not await knows(provider, "mary", "myPassword")


async def test_a_file_that_never_was_is_a_failure(provider: HTPasswd) -> None:
    with pytest.raises(ProviderFailed, match="cannot be read"):
        await provider.authenticate("mary", "myPassword")


async def test_of_two_lines_for_one_user_the_first_counts(path: Path, provider: HTPasswd) -> None:
    path.write_text(f"mary:{bcrypted('first')}\nmary:{SHA}\n")
    assert await knows(provider, "mary", "first")
    assert not await knows(provider, "mary", "myPassword")


async def test_lines_that_are_no_text_are_ignored(path: Path, provider: HTPasswd) -> None:
    path.write_bytes(b"\xff\xfe:x\nno colon\n:" + SHA.encode() + b"\nmary:" + SHA.encode())
    assert await knows(provider, "mary", "myPassword")


async def test_a_name_need_not_be_ascii(path: Path, provider: HTPasswd) -> None:
    path.write_text(f"j\u00f6rg:{SHA}\n")
    assert await knows(provider, "j\u00f6rg", "myPassword")
