"""Maps a person whom a provider recognised to a stored user and identity.

One function plans what has to be written. It runs on a snapshot first, so that a login that
changes nothing writes nothing, and again in the transaction that writes.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar

import structlog

from atomic_registry.clock import Clock
from atomic_registry.errors import (
    AlreadyExists,
    CredentialsRejected,
    LoginRefused,
    ObjectUnknown,
    StaleRevision,
)
from atomic_registry.identity.ports import IdentityStore, Person, Transaction
from atomic_registry.identity.records import Group, Identity, User, UserReference
from atomic_registry.kube.objects import KubeObject, ObjectMeta

_logger = structlog.get_logger(__name__)

MappingMethod = Literal["claim", "lookup", "generate", "add"]
GROUP_SOURCE = "atomic-registry/group-source"

_CLAIM_ERROR = "mapping_claim_error"
_LOOKUP_ERROR = "mapping_lookup_error"
_MAX_NAME = 253
_GENERATED_NAMES = 100
_MAX_GROUPS = 1000
_PAGE = 500
_TRIES = 3
_ENCODED = "b64:"
_Kind = TypeVar("_Kind", bound=KubeObject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A person, the provider that vouches for it, and how it gets an account."""

    provider: str
    person: Person
    mapping: MappingMethod

    @property
    def identity(self) -> str:
        """Name of the person's identity."""
        return f"{self.provider}:{self.provider_user_name}"

    @property
    def provider_user_name(self) -> str:
        """The person's id, encoded if it could not stand in a URL."""
        own = self.person.id
        if own.startswith(_ENCODED) or "/" in own or "%" in own or not own.isprintable():
            encoded = base64.urlsafe_b64encode(own.encode("utf-8", "surrogatepass"))
            return _ENCODED + encoded.decode().rstrip("=")
        return own

    @property
    def username(self) -> str:
        """The account wished for. Never the e-mail address: anybody can claim one."""
        return self.person.preferred_username or self.person.id


@dataclass(slots=True, kw_only=True)
class _Plan:
    user: User
    added: list[KubeObject] = field(default_factory=list)
    updated: list[KubeObject] = field(default_factory=list)

    @property
    def changes_nothing(self) -> bool:
        return not self.added and not self.updated

    def carry_out(self, tx: Transaction, now: datetime) -> None:
        actor = self.user.metadata.name
        for item in self.added:
            tx.objects.add(item, actor=actor, now=now)
        for item in self.updated:
            tx.objects.update(item, actor=actor, now=now)


class Accounts:
    """The stored users, as logins see them."""

    def __init__(self, store: IdentityStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def admit(self, recognised: Recognised) -> User:
        """Return the person's user, made or joined as the mapping method says.

        Raises:
            LoginRefused: the mapping method does not give the person an account.
            CredentialsRejected: the account is disabled.
        """
        # Fresh here because a transaction function may run twice.
        uid = self._clock.new_id()
        now = self._clock.now()

        def write(tx: Transaction) -> User:
            plan = _plan(tx, recognised, uid)
            plan.carry_out(tx, now)
            return plan.user

        plan = await self._store.read(lambda tx: _plan(tx, recognised, uid))
        if plan.changes_nothing:
            return plan.user
        for _ in range(_TRIES - 1):
            try:
                return await self._store.write(write)
            except (AlreadyExists, StaleRevision, ObjectUnknown):
                # Another login of the same person was faster; look again.
                continue
        return await self._store.write(write)


def check_user_name(name: str) -> str:
    """Return why a text cannot be the name of a user, or nothing if it can."""
    if not name.strip() or name != name.strip() or not name.isprintable():
        return "it is blank, or has spaces at its ends or signs that cannot be printed"
    if len(name) > _MAX_NAME:
        return f"it is longer than {_MAX_NAME} characters"
    if name in (".", "..", "~") or any(sign in name for sign in "/:%"):
        return "it is '.', '..' or '~', or contains '/', ':' or '%'"
    return ""


def _plan(tx: Transaction, recognised: Recognised, uid: str) -> _Plan:
    identity = tx.objects.find(Identity, recognised.identity)
    if identity is None:
        plan = _plan_new(tx, recognised, uid)
    else:
        plan = _Plan(user=_mapped_user(tx, identity))
        extra = _extra(recognised.person)
        if identity.extra != extra and recognised.mapping != "lookup":
            identity.extra = extra
            plan.updated.append(identity)
    if plan.user.disabled:
        raise CredentialsRejected
    _plan_groups(tx, recognised, plan)
    return plan


def _mapped_user(tx: Transaction, identity: Identity) -> User:
    name = identity.metadata.name
    if not identity.user.name:
        raise _unmapped(f"identity {name!r} belongs to no user; map it to one")
    user = tx.objects.find(User, identity.user.name)
    if user is None or user.metadata.uid != identity.user.uid:
        raise _unmapped(
            f"identity {name!r} belongs to a user {identity.user.name!r} that was deleted; an "
            "administrator has to delete the identity too, then the next login makes a new account"
        )
    if name not in user.identities:
        raise _unmapped(
            f"user {identity.user.name!r} does not list identity {name!r}; an administrator has to "
            "add it there, or to delete the identity"
        )
    return user


def _plan_new(tx: Transaction, recognised: Recognised, uid: str) -> _Plan:
    if recognised.mapping == "lookup":
        raise _unmapped(
            f"identity {recognised.identity!r} is not mapped to a user; an administrator has to "
            "make the user, the identity and their mapping beforehand"
        )
    reason = _check_names(recognised)
    if reason:
        raise LoginRefused(code=_CLAIM_ERROR, reason=reason)
    plan = _plan_user(tx, recognised, uid)
    provider = recognised.provider
    plan.added.append(
        Identity(
            metadata=ObjectMeta(name=recognised.identity),
            provider_name=provider,
            provider_user_name=recognised.provider_user_name,
            user=UserReference(name=plan.user.metadata.name, uid=plan.user.metadata.uid),
            extra=_extra(recognised.person),
        )
    )
    return plan


def _plan_user(tx: Transaction, recognised: Recognised, uid: str) -> _Plan:
    for name in _candidates(recognised):
        user = tx.objects.find(User, name)
        if user is None:
            made = User(
                metadata=ObjectMeta(name=name, uid=uid),
                full_name=recognised.person.full_name,
                identities=[recognised.identity],
            )
            return _Plan(user=made, added=[made])
        if recognised.identity in user.identities:
            return _Plan(user=user)
        if recognised.mapping == "add":
            user.identities.append(recognised.identity)
            user.full_name = user.full_name or recognised.person.full_name
            return _Plan(user=user, updated=[user])
    raise LoginRefused(
        code=_CLAIM_ERROR,
        reason=f"user name {recognised.username!r} belongs to somebody else here; ask an "
        "administrator to map the identity "
        f"{recognised.identity!r} to the right user",
    )


def _candidates(recognised: Recognised) -> Iterator[str]:
    yield recognised.username
    if recognised.mapping == "generate":
        yield from (f"{recognised.username}{number}" for number in range(2, _GENERATED_NAMES + 1))


def _check_names(recognised: Recognised) -> str:
    name = recognised.username
    # The system's own names all start with "system:"; the colon keeps them out.
    reason = check_user_name(name)
    if reason:
        return f"{name[:100]!r} cannot be a user name here: {reason}"
    if not recognised.person.id or len(recognised.identity) > 2 * _MAX_NAME:
        return "the provider's id of the person is empty or too long"
    return ""


def _extra(person: Person) -> dict[str, str]:
    given = {
        "name": person.full_name,
        "email": person.email,
        "preferred_username": person.preferred_username,
    }
    return {key: value for key, value in given.items() if value}


def _plan_groups(tx: Transaction, recognised: Recognised, plan: _Plan) -> None:
    if recognised.person.groups is None:
        return
    wanted = _group_names(recognised)
    name = plan.user.metadata.name
    for group in _all(tx, Group):
        group_name = group.metadata.name
        is_wanted = group_name in wanted
        wanted.discard(group_name)
        if group.metadata.annotations.get(GROUP_SOURCE) != recognised.provider:
            continue
        if is_wanted and name not in group.users:
            group.users.append(name)
            plan.updated.append(group)
        if not is_wanted and name in group.users:
            group.users = [user for user in group.users if user != name]
            plan.updated.append(group)
    for missing in sorted(wanted):
        annotations = {GROUP_SOURCE: recognised.provider}
        meta = ObjectMeta(name=missing, annotations=annotations)
        plan.added.append(Group(metadata=meta, users=[name]))


def _group_names(recognised: Recognised) -> set[str]:
    given = recognised.person.groups or ()
    good = [group for group in given[:_MAX_GROUPS] if not check_user_name(group)]
    if len(good) < len(given):
        _logger.warning(
            "some groups of a person are ignored: too many, or impossible names",
            provider=recognised.provider,
            ignored=len(given) - len(good),
        )
    return set(good)


def _all(tx: Transaction, kind: type[_Kind]) -> Iterator[_Kind]:
    after = ("", "")
    while True:
        page = tx.objects.list(kind, after=after, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = (page[-1].metadata.namespace, page[-1].metadata.name)


def _unmapped(reason: str) -> LoginRefused:
    return LoginRefused(code=_LOOKUP_ERROR, reason=reason)
