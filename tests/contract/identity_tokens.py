"""What every store does with tokens, failed logins and signing keys."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.contract.metadata_store import OpenAnother

from atomic_registry.identity.ports import SigningKey, StoredToken, TokenKind
from atomic_registry.store.metadata import MetadataDatabase

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ROBOTS = (TokenKind.ROBOT, TokenKind.PERSONAL)


def token(number: int = 1, **fields: object) -> StoredToken:
    plain = StoredToken(
        id=f"sha256~{number:04}", kind=TokenKind.ACCESS, user="mary", user_uid="u",
        created_at=NOW, expires_at=NOW + 60 * SECOND,
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]  # fields of the class itself


async def add_token(store: MetadataDatabase, one: StoredToken) -> None:
    await store.write(lambda tx: tx.tokens.add(one))


async def find_token(store: MetadataDatabase, token_id: str) -> StoredToken | None:
    return await store.read(lambda tx: tx.tokens.find(token_id))


async def take_token(store: MetadataDatabase, token_id: str) -> StoredToken | None:
    return await store.write(lambda tx: tx.tokens.take(token_id))


async def add_failures(store: MetadataDatabase, keys: list[str], moment: datetime) -> None:
    await store.write(lambda tx: tx.login_failures.add(keys, moment))


async def add_key(store: MetadataDatabase, key: SigningKey) -> None:
    await store.write(lambda tx: tx.signing_keys.add(key))


async def add_tokens(store: MetadataDatabase, *tokens: StoredToken) -> None:
    for one in tokens:
        await add_token(store, one)


class TokensContract:
    async def test_every_field_of_a_token_comes_back(self, store: MetadataDatabase) -> None:
        plain = token(1, expires_at=None)
        full = token(
            2, kind=TokenKind.CODE, client="c", scopes=("user:info", "role:é:p"), family="f",
            description="laptop", last_used_at=NOW, inactivity_seconds=300, state={"a": "\0"},
        )  # fmt: skip
        await add_tokens(store, plain, full)
        for one in (plain, full):
            assert await store.find_token(one.id) == one
            assert await find_token(store, one.id) == one
        for absent in ("sha256~none", "\0", "\ud800"):
            assert await store.find_token(absent) is None
            assert await find_token(store, absent) is None
            assert await take_token(store, absent) is None

    async def test_a_token_is_replaced_and_removed(self, store: MetadataDatabase) -> None:
        await add_tokens(store, token(1), token(2))
        new = token(1, kind=TokenKind.ROBOT, user="bob", state={"k": "v"}, scopes=("a",))
        assert await store.write(lambda tx: tx.tokens.update(new))
        assert await store.find_token(new.id) == new
        assert await store.write(lambda tx: tx.tokens.remove(new.id))
        assert not await store.write(lambda tx: tx.tokens.remove(new.id))
        assert not await store.write(lambda tx: tx.tokens.update(new))
        assert await store.find_token(new.id) is None
        assert await store.find_token(token(2).id) == token(2)

    async def test_of_many_that_take_a_token_one_gets_it(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        another = open_another()
        await add_tokens(store, token())
        try:
            taken = await asyncio.gather(
                *(
                    (store, another)[n % 2].write(lambda tx: tx.tokens.take(token().id))
                    for n in range(20)
                )
            )
        finally:
            await another.close()
        assert [found for found in taken if found] == [token()]

    async def test_a_family_goes_together_and_no_family_is_none(
        self, store: MetadataDatabase
    ) -> None:
        await add_tokens(store, *(token(n, family="f" * (n % 2)) for n in range(5)))
        assert await store.write(lambda tx: tx.tokens.remove_family("")) == 0
        assert await store.write(lambda tx: tx.tokens.remove_family("f")) == 2
        assert await store.write(lambda tx: tx.tokens.remove_family("f")) == 0

    async def test_the_tokens_of_a_user_are_listed_by_kind_and_removed(
        self, store: MetadataDatabase
    ) -> None:
        kinds = [TokenKind.ROBOT, TokenKind.ACCESS, TokenKind.PERSONAL]
        await add_tokens(store, *(token(n, kind=kinds[n % 3]) for n in range(6)))
        await add_tokens(store, token(9, user="mary2"))

        async def listed(after: str = "", limit: int = 9) -> list[str]:
            found = await store.read(
                lambda tx: tx.tokens.list_of_user("mary", kinds=ROBOTS, after=after, limit=limit)
            )
            return [one.id[-1] for one in found]

        assert await listed() == ["0", "2", "3", "5"]
        assert await listed(token(2).id, 1) == ["3"]
        assert await store.write(lambda tx: tx.tokens.remove_of_user("mary")) == 6
        assert await store.find_token(token(9).id) is not None
        assert await store.write(lambda tx: tx.tokens.remove_of_user("\0")) == 0

    async def test_the_tokens_of_everybody_are_listed_by_kind_and_page(
        self, store: MetadataDatabase
    ) -> None:
        users = ["mary", "bob"]
        kinds = [TokenKind.ROBOT, TokenKind.ACCESS, TokenKind.PERSONAL]
        await add_tokens(store, *(token(n, kind=kinds[n % 3], user=users[n % 2]) for n in range(6)))

        async def listed(after: str = "", limit: int = 9) -> list[str]:
            found = await store.read(
                lambda tx: tx.tokens.list_all(kinds=ROBOTS, after=after, limit=limit)
            )
            return [one.id[-1] for one in found]

        assert await listed() == ["0", "2", "3", "5"]
        assert await listed(token(2).id, 1) == ["3"]

    async def test_a_device_code_is_found_by_its_user_code(self, store: MetadataDatabase) -> None:
        code = token(1, kind=TokenKind.DEVICE, state={"user_code": "ABCD", "x": "y"})
        await add_tokens(store, code, token(2, state={"user_code": "WXYZ"}))

        async def find(value: str) -> StoredToken | None:
            return await store.read(
                lambda tx: tx.tokens.find_by_state(TokenKind.DEVICE, "user_code", value)
            )

        assert await find("ABCD") == code
        assert await find("WXYZ") is None
        assert await find("abcd") is None
        assert await find("\0") is None
        used = replace(code, state={})
        assert await store.write(lambda tx: tx.tokens.update(used))
        assert await find("ABCD") is None
        with pytest.raises(ValueError, match="not by x"):
            await store.read(lambda tx: tx.tokens.find_by_state(TokenKind.DEVICE, "x", "y"))

    async def test_the_last_use_of_a_token_never_goes_back(self, store: MetadataDatabase) -> None:
        await add_tokens(store, token(1), token(2), token(3))
        one, two, three = (token(n).id for n in (1, 2, 3))
        await store.write(lambda tx: tx.tokens.mark_used({two: NOW + SECOND, one: NOW, "x": NOW}))
        await store.write(lambda tx: tx.tokens.mark_used({two: NOW, one: NOW + SECOND}))
        await store.write(lambda tx: tx.tokens.mark_used({}))
        found = [await store.find_token(each) for each in (one, two, three)]
        assert [t and t.last_used_at for t in found] == [NOW + SECOND, NOW + SECOND, None]

    async def test_expired_tokens_are_removed_so_many_at_a_time(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        another = open_another()
        await add_tokens(store, *(token(n, expires_at=NOW + n * SECOND) for n in range(10)))
        await add_tokens(store, token(99, expires_at=None))

        async def sweep(of: MetadataDatabase, moment: datetime, limit: int) -> int:
            return await of.write(lambda tx: tx.tokens.remove_expired(moment, limit=limit))

        try:
            assert await sweep(store, NOW + 3 * SECOND, 3) == 3
            assert await sweep(store, NOW + 3 * SECOND, 3) == 1
            at_once = (sweep(of, NOW + 99 * SECOND, 2) for of in (store, another))
            assert sum(await asyncio.gather(*at_once)) <= 4
        finally:
            await another.close()
        assert await store.find_token(token(9).id) is not None
        await sweep(store, NOW + 99 * SECOND, 1_000)
        assert await store.find_token(token(9).id) is None
        assert await store.find_token(token(99).id) is not None


class LoginsContract:
    async def test_failures_are_counted_for_each_key_since_a_time(
        self, store: MetadataDatabase
    ) -> None:
        odd = "user:" + "\0\ud800é" * 5_000
        for seconds, keys in ((0, ["a", odd]), (0, ["a"]), (5, ["a", "a"]), (9, ["b"])):
            moment = NOW + seconds * SECOND
            await add_failures(store, keys, moment)

        async def count(seconds: int) -> dict[str, int]:
            asked, since = ["a", odd, "b", "c"], NOW + seconds * SECOND
            return await store.read(lambda tx: tx.login_failures.count(asked, since=since))

        assert await count(0) == {"a": 3, odd: 1, "b": 1, "c": 0}
        assert await count(1) == {"a": 1, odd: 0, "b": 1, "c": 0}
        await store.write(lambda tx: tx.login_failures.forget(["a", "c"]))
        assert await count(0) == {"a": 0, odd: 1, "b": 1, "c": 0}
        await store.write(lambda tx: tx.login_failures.remove_before(NOW + 9 * SECOND))
        assert await count(0) == {"a": 0, odd: 0, "b": 1, "c": 0}
        await store.write(lambda tx: tx.login_failures.add([], NOW))
        await store.write(lambda tx: tx.login_failures.forget([]))
        assert await store.read(lambda tx: tx.login_failures.count([], since=NOW)) == {}

    async def test_no_failure_of_many_at_once_is_lost(
        self, store: MetadataDatabase, open_another: OpenAnother
    ) -> None:
        another, keys = open_another(), ["account", "address"]
        try:
            await asyncio.gather(
                *(add_failures((store, another)[n % 2], keys[:: (-1) ** n], NOW) for n in range(40))
            )
        finally:
            await another.close()
        counted = await store.read(lambda tx: tx.login_failures.count(keys, since=NOW))
        assert counted == {"account": 40, "address": 40}

    async def test_signing_keys_are_listed_newest_first_until_they_verify_nothing(
        self, store: MetadataDatabase
    ) -> None:
        keys = [
            SigningKey(
                id=f"k{n}", private_pem="PEM\n", created_at=NOW + n * SECOND,
                signs_until=NOW + (n + 1) * SECOND, verifies_until=NOW + (n + 2) * SECOND,
            )
            for n in range(3)
        ]  # fmt: skip
        for key in keys:
            await add_key(store, key)
        assert await store.read(lambda tx: tx.signing_keys.list()) == keys[::-1]
        await store.write(lambda tx: tx.signing_keys.remove_before(NOW + 3 * SECOND))
        assert await store.read(lambda tx: tx.signing_keys.list()) == keys[:0:-1]
