"""Logs people of one Google Workspace domain in.

Source: Google Identity, "OpenID Connect": the `hd` claim, and not the parameter of that name,
tells which domain an account belongs to.
"""

from atomic_registry.identity.providers.openid import OpenIdOptions
from atomic_registry.identity.providers.openid_claims import OpenIdClaims

ISSUER = "https://accounts.google.com"


def google_options(
    *,
    name: str,
    client_id: str,
    client_secret: str,
    hosted_domain: str = "",
    allow_everyone: bool = False,
    issuer: str = ISSUER,
) -> OpenIdOptions:
    """Return what makes an `OpenIdProvider` Google's.

    Raises:
        ValueError: everybody with a Google account could log in, and nobody said that they may.
    """
    if not hosted_domain and not allow_everyone:
        raise ValueError(
            f"identity provider {name}: everybody with a Google account could log in; "
            "set 'hostedDomain' to the domain whose people may"
        )
    domain = {"hd": hosted_domain} if hosted_domain else {}
    return OpenIdOptions(
        name=name,
        issuer=issuer,
        client_id=client_id,
        client_secret=client_secret,
        claims=OpenIdClaims(preferred_username=("email",), name=("name", "email")),
        extra_scopes=("email", "profile"),
        extra_authorize_parameters=domain,
        required_claims=domain,
    )
