"""Basic authentication at the authorization endpoint, as command lines use it."""

import base64
import binascii

from atomic_registry.faces.oauth.pages import render_json
from atomic_registry.web.messages import Response

_CHALLENGE = 'Basic realm="openshift"'


def unauthorized(warning: str | None = None) -> Response:
    """Return the challenge; with a warning there is none, so that browsers ask for nothing."""
    response = render_json({"error": "access_denied", "error_description": "log in"}, status=401)
    if warning is None:
        response.headers["WWW-Authenticate"] = _CHALLENGE
    else:
        response.headers["Warning"] = f'199 Origin "{warning}"'
    return response


def read_basic(header: str) -> tuple[str, str] | None:
    """Return the name and the password of an `Authorization` header, None if it has none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon and name and password else None
