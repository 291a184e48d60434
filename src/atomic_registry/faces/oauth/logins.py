"""What the face needs of the service that turns logins into accounts."""

from collections.abc import Sequence
from typing import Protocol, TypeGuard

from atomic_registry.identity.actors import Actor
from atomic_registry.identity.ports import (
    HeaderProvider,
    PasswordProvider,
    Person,
    RedirectProvider,
)

AnyProvider = PasswordProvider | RedirectProvider | HeaderProvider


class OfferedProvider(Protocol):
    """A provider as it is configured."""

    @property
    def provider(self) -> AnyProvider: ...
    @property
    def challenge(self) -> bool: ...
    @property
    def login(self) -> bool: ...


class Logins(Protocol):
    """Turns credentials, or what another provider says, into an account."""

    @property
    def providers(self) -> Sequence[OfferedProvider]: ...

    async def login(
        self, username: str, password: str, *, address: str, provider: str = ""
    ) -> Actor:
        """Return who has this password, at any provider that takes challenges or at a named one.

        Raises:
            CredentialsRejected, TooMany, LoginRefused, ProviderFailed: nobody, or not now.
        """
        ...

    async def admit(self, provider_name: str, person: Person) -> Actor:
        """Return the account of a person whom a provider recognised.

        Raises:
            LoginRefused: no account here may be theirs.
        """
        ...


def takes_passwords(provider: AnyProvider) -> TypeGuard[PasswordProvider]:
    """Tell whether the provider is asked with a name and a password."""
    return hasattr(provider, "authenticate")


def redirects(provider: AnyProvider) -> TypeGuard[RedirectProvider]:
    """Tell whether the provider has a login page of its own elsewhere."""
    return hasattr(provider, "begin")


def sends_headers(provider: AnyProvider) -> TypeGuard[HeaderProvider]:
    """Tell whether the provider believes a proxy."""
    return hasattr(provider, "recognise")
