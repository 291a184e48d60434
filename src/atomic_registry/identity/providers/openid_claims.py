"""From the claims of OpenID Connect to a person."""

from collections.abc import Mapping
from dataclasses import dataclass

from atomic_registry.identity.ports import Person
from atomic_registry.identity.providers.code_flow import name_of

_GROUPS = 5000
_EMAIL_CLAIMS = ("email", "email_verified")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdClaims:
    """Claims for each part of a person: the first one that says something counts.

    Without claims for groups the provider says nothing of groups.
    """

    id: tuple[str, ...] = ("sub",)
    preferred_username: tuple[str, ...] = ("preferred_username",)
    name: tuple[str, ...] = ("name",)
    email: tuple[str, ...] = ("email",)
    groups: tuple[str, ...] = ()


def find_person(claims: Mapping[str, object], wanted: OpenIdClaims) -> Person | None:
    """Return whom the claims describe, None if they hold no id."""
    identifier = _first(claims, wanted.id)
    if not identifier:
        return None
    return Person(
        id=identifier,
        preferred_username=_first(claims, wanted.preferred_username),
        full_name=_first(claims, wanted.name),
        email=_email(claims, wanted.email),
        groups=_groups(claims, wanted.groups) if wanted.groups else None,
    )


def lacks_something(claims: Mapping[str, object], wanted: OpenIdClaims) -> bool:
    """Tell whether a part of the person is wanted, and no claim says anything of it."""
    if wanted.groups and not any(key in claims for key in wanted.groups):
        return True
    parts = (wanted.id, wanted.preferred_username, wanted.name, wanted.email)
    return any(part and not _first(claims, part) for part in parts)


def merge(first: Mapping[str, object], second: Mapping[str, object]) -> Mapping[str, object]:
    """Return the claims of both; the first wins.

    Whether an address is verified is said beside that address, and holds for no other.
    """
    drop = second if "email" in first else first
    return {
        key: value
        for claims in (second, first)
        for key, value in claims.items()
        if not (claims is drop and key in _EMAIL_CLAIMS)
    }


def _first(claims: Mapping[str, object], keys: tuple[str, ...]) -> str:
    """Return the first claim that may name a person: never an address that nobody verified."""
    verified = _is_verified(claims)
    return _first_text(claims, tuple(key for key in keys if key != "email" or verified))


def _is_verified(claims: Mapping[str, object]) -> bool:
    # Some providers send the text.
    return claims.get("email_verified") in (True, "true")


def _email(claims: Mapping[str, object], keys: tuple[str, ...]) -> str:
    denied = "email_verified" in claims and not _is_verified(claims)
    return "" if denied else _first_text(claims, keys)


def _first_text(claims: Mapping[str, object], keys: tuple[str, ...]) -> str:
    return next(filter(None, (name_of(claims, key) for key in keys)), "")


def _groups(claims: Mapping[str, object], keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return the groups; none where the claim is absent, as of somebody who left the last one."""
    value = next((claims[key] for key in keys if key in claims), [])
    listed = value if isinstance(value, list) else [value]
    texts = (one for one in listed[:_GROUPS] if isinstance(one, str) and one.isprintable())
    return tuple(dict.fromkeys(filter(None, texts)))
