"""`Status` documents: what the API says where it has no object to show.

Source: Kubernetes API conventions, "Response Status Kind".
"""

import msgspec

from atomic_registry.web.messages import Response

Document = dict[str, object]


def json_response(document: object, *, status: int = 200) -> Response:
    """Return an answer with a JSON body, which nobody may keep: it may be about secrets."""
    return Response(
        status=status,
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
        body=msgspec.json.encode(document),
    )


def success_document(details: Document) -> Document:
    """Return what tells that something was done."""
    return _status("Success", 200, {"details": details})


def failure_document(*, code: int, reason: str, message: str, details: Document) -> Document:
    """Return what tells why something was not done."""
    parts: Document = {"message": message, "reason": reason}
    if details:
        parts["details"] = details
    return _status("Failure", code, parts)


def _status(status: str, code: int, parts: Document) -> Document:
    head: Document = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": status}
    return head | parts | {"code": code}
