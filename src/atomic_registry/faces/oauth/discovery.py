"""What the server tells about itself (RFC 8414), and the style sheet of its pages."""

from atomic_registry.faces.oauth.pages import STYLE, render_json
from atomic_registry.faces.oauth.token import GRANT_TYPES
from atomic_registry.identity.oauth_scopes import USER_SCOPES
from atomic_registry.web.messages import Request, Response


class DiscoveryHandlers:
    """Nothing here is secret or changes while the server runs."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    async def metadata(self, request: Request) -> Response:
        issuer = self._issuer
        return render_json(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/oauth/authorize",
                "token_endpoint": f"{issuer}/oauth/token",
                "revocation_endpoint": f"{issuer}/oauth/revoke",
                "device_authorization_endpoint": f"{issuer}/oauth/device_authorization",
                "scopes_supported": list(USER_SCOPES),
                "response_types_supported": ["code", "token"],
                "grant_types_supported": [*GRANT_TYPES, "implicit"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                    "none",
                ],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def style(self, request: Request) -> Response:
        return Response(
            status=200,
            headers={
                "Content-Type": "text/css",
                "Cache-Control": "public, max-age=3600",
                "X-Content-Type-Options": "nosniff",
            },
            body=STYLE,
        )
