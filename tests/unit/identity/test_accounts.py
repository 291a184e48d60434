from collections.abc import Callable

import pytest
from tests.kit.clock import ManualClock
from tests.kit.identity_store import MemoryIdentityStore

from atomic_registry.errors import CredentialsRejected, LoginRefused
from atomic_registry.identity.accounts import GROUP_SOURCE, Accounts, MappingMethod, Recognised
from atomic_registry.identity.ports import Person, Transaction
from atomic_registry.identity.records import Group, Identity, User
from atomic_registry.kube.objects import KubeObject, ObjectMeta


@pytest.fixture
def store() -> MemoryIdentityStore:
    return MemoryIdentityStore()


@pytest.fixture
def accounts(store: MemoryIdentityStore) -> Accounts:
    return Accounts(store, ManualClock())


def mary(
    mapping: MappingMethod = "claim",
    *,
    provider: str = "ldap",
    groups: tuple[str, ...] | None = None,
    name: str = "mary",
) -> Recognised:
    person = Person(
        id=f"id-of-{name}", preferred_username=name, full_name="Mary Poppins", groups=groups
    )
    return Recognised(provider=provider, person=person, mapping=mapping)


async def add(store: MemoryIdentityStore, item: KubeObject) -> None:
    now = ManualClock().now()
    await store.write(lambda tx: tx.objects.add(item, actor="test", now=now))


async def change(store: MemoryIdentityStore, act: Callable[[Transaction], None]) -> None:
    await store.write(act)


async def disable(store: MemoryIdentityStore, name: str) -> None:
    def act(tx: Transaction) -> None:
        user = tx.objects.find(User, name)
        assert user is not None
        user.disabled = True
        tx.objects.update(user, actor="test", now=ManualClock().now())

    await store.write(act)


async def remove_user(store: MemoryIdentityStore, name: str) -> None:
    def act(tx: Transaction) -> None:
        user = tx.objects.find(User, name)
        assert user is not None
        tx.objects.remove(user, actor="test", now=ManualClock().now())

    await store.write(act)


async def members(store: MemoryIdentityStore, name: str) -> list[str] | None:
    group = await store.read(lambda tx: tx.objects.find(Group, name))
    return None if group is None else group.users


async def refusal(accounts: Accounts, recognised: Recognised) -> LoginRefused:
    with pytest.raises(LoginRefused) as caught:
        await accounts.admit(recognised)
    return caught.value


async def test_the_first_login_makes_a_user_and_an_identity_that_name_each_other(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    user = await accounts.admit(mary())
    identity = await store.read(lambda tx: tx.objects.find(Identity, "ldap:id-of-mary"))
    assert identity is not None
    assert ("mary", user.metadata.uid) == (identity.user.name, identity.user.uid)
    assert ["ldap:id-of-mary"] == user.identities
    assert "Mary Poppins" == user.full_name
    assert ("ldap", "id-of-mary") == (identity.provider_name, identity.provider_user_name)


async def test_a_second_login_writes_nothing(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    first = await accounts.admit(mary(groups=("dev",)))
    writes = store.writes
    second = await accounts.admit(mary(groups=("dev",)))
    assert (writes, first.metadata.uid) == (store.writes, second.metadata.uid)


async def test_claim_refuses_a_name_that_belongs_to_another_identity(accounts: Accounts) -> None:
    await accounts.admit(mary())
    assert "mapping_claim_error" == (await refusal(accounts, mary(provider="other"))).code


async def test_add_joins_the_identity_to_the_user_of_that_name(accounts: Accounts) -> None:
    first = await accounts.admit(mary())
    second = await accounts.admit(mary("add", provider="other"))
    assert first.metadata.uid == second.metadata.uid
    assert ["ldap:id-of-mary", "other:id-of-mary"] == second.identities


async def test_generate_tries_the_name_with_numbers(accounts: Accounts) -> None:
    await accounts.admit(mary())
    names = [
        (await accounts.admit(mary("generate", provider=f"p{n}"))).metadata.name for n in range(3)
    ]
    assert ["mary2", "mary3", "mary4"] == names


async def test_generate_gives_up_after_a_hundred_names(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    for number in ["", *range(2, 101)]:
        await add(store, User(metadata=ObjectMeta(name=f"mary{number}")))
    assert "mapping_claim_error" == (await refusal(accounts, mary("generate"))).code


async def test_lookup_never_makes_an_account(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    assert "mapping_lookup_error" == (await refusal(accounts, mary("lookup"))).code
    assert 0 == store.writes


async def test_lookup_finds_an_account_that_was_mapped(accounts: Accounts) -> None:
    made = await accounts.admit(mary())
    assert made.metadata.uid == (await accounts.admit(mary("lookup"))).metadata.uid


async def test_an_identity_of_a_deleted_user_is_refused_and_says_what_to_do(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    await accounts.admit(mary())
    await remove_user(store, "mary")
    error = await refusal(accounts, mary())
    assert "mapping_lookup_error" == error.code
    assert "delete the identity too" in error.message


async def test_an_identity_does_not_pass_to_a_namesake_made_anew(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    await accounts.admit(mary())
    await remove_user(store, "mary")
    await add(store, User(metadata=ObjectMeta(name="mary"), identities=["ldap:id-of-mary"]))
    assert "mapping_lookup_error" == (await refusal(accounts, mary())).code


async def test_an_identity_that_its_user_does_not_list_is_refused(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    user = await accounts.admit(mary())
    user.identities = []
    await change(store, lambda tx: tx.objects.update(user, actor="test", now=ManualClock().now()))
    assert "mapping_lookup_error" == (await refusal(accounts, mary())).code


@pytest.mark.parametrize(
    "name",
    [".", "..", "~", "a/b", "a:b", "a%2fb", "system:admin", " mary", "ma\nry", "m\0", "x" * 254],
)
async def test_a_name_that_cannot_be_a_users_is_refused(
    accounts: Accounts, store: MemoryIdentityStore, name: str
) -> None:
    assert "mapping_claim_error" == (await refusal(accounts, mary(name=name))).code
    assert 0 == store.writes


async def test_an_id_with_a_slash_is_encoded_and_cannot_be_another_persons(
    accounts: Accounts,
) -> None:
    names = [
        Recognised(provider="p", person=Person(id=own), mapping="claim").identity
        for own in ("cn=a/b", "b64:Y249YS9i", "cn=a%2fb", "plain")
    ]
    assert 4 == len(set(names))
    assert "p:b64:Y249YS9i" == names[0]
    assert "p:plain" == names[3]


async def test_an_unverified_e_mail_is_not_a_key(accounts: Accounts) -> None:
    await accounts.admit(
        Recognised(
            provider="github",
            person=Person(id="1", preferred_username="mary", email="mary@example.test"),
            mapping="add",
        )
    )
    other = await accounts.admit(
        Recognised(
            provider="oidc", person=Person(id="77", email="mary@example.test"), mapping="add"
        )
    )
    assert "77" == other.metadata.name
    assert ["oidc:77"] == other.identities


async def test_a_disabled_user_is_refused_like_a_wrong_password(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    await accounts.admit(mary())
    await disable(store, "mary")
    with pytest.raises(CredentialsRejected) as caught:
        await accounts.admit(mary())
    assert CredentialsRejected().message == caught.value.message


async def test_groups_of_the_person_are_made_and_marked(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    await accounts.admit(mary(groups=("dev", "ops")))
    assert ["mary"] == await members(store, "dev")
    group = await store.read(lambda tx: tx.objects.find(Group, "ops"))
    assert group is not None
    assert {GROUP_SOURCE: "ldap"} == group.metadata.annotations


async def test_a_group_that_the_person_left_loses_the_member(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    await accounts.admit(mary(groups=("dev", "ops")))
    await accounts.admit(mary(groups=("ops",)))
    assert ([], ["mary"]) == (await members(store, "dev"), await members(store, "ops"))
    await accounts.admit(mary(groups=()))
    assert [] == await members(store, "ops")


async def test_a_provider_that_says_nothing_of_groups_changes_none(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    await accounts.admit(mary(groups=("dev",)))
    await accounts.admit(mary(groups=None))
    assert ["mary"] == await members(store, "dev")


async def test_local_groups_and_those_of_other_providers_are_never_touched(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    await add(store, Group(metadata=ObjectMeta(name="admins"), users=["root"]))
    await add(store, Group(metadata=ObjectMeta(name="local"), users=["mary"]))
    meta = ObjectMeta(name="theirs", annotations={GROUP_SOURCE: "other"})
    await add(store, Group(metadata=meta, users=["mary"]))
    await accounts.admit(mary(groups=("admins",)))
    assert ["root"] == await members(store, "admins")
    assert ["mary"] == await members(store, "local")
    assert ["mary"] == await members(store, "theirs")


async def test_group_names_that_cannot_be_are_ignored(
    accounts: Accounts, store: MemoryIdentityStore
) -> None:
    await accounts.admit(mary(groups=("system:cluster-admins", "~", "good")))
    names = await store.read(lambda tx: [g.metadata.name for g in tx.objects.list(Group, limit=9)])
    assert ["good"] == names
