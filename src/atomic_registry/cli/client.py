"""Talks to the master: one request at a time, over TLS only, with errors in words for people."""

import contextlib
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urlsplit

import click

from atomic_registry.cli.documents import Document, documents_at, text_at
from atomic_registry.cli.output import printable
from atomic_registry.cli.trust import Trust, make_context

if TYPE_CHECKING:
    from http.client import HTTPResponse

TIMEOUT_SECONDS = 30.0
JSON = "application/json"
_MAX_ANSWER_BYTES = 32 << 20
_MAX_MESSAGE = 4000
_MAX_PAGES = 1000
_PAGE = 500
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered, whatever it was; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def document(self) -> Document:
        """Return the body as an object, an empty one if it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class ApiError(click.ClickException):
    """A refusal of the master."""

    def __init__(self, message: str, *, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Unreachable(click.ClickException):
    """The master does not answer, or its connection broke."""


class ApiClient:
    """The API of one master as one caller."""

    def __init__(self, server: str, trust: Trust, *, token: str = "") -> None:
        self.server = server
        self.token = token
        self.trust = trust
        self._context: ssl.SSLContext | None = None

    def get(self, path: str, **query: str) -> Document:
        """Return a document."""
        return self.call("GET", f"{path}?{urlencode(query)}" if query else path)

    def list(self, path: str, **query: str) -> list[Document]:
        """Return all items of a list, page by page."""
        items: list[Document] = []
        after = ""
        for _ in range(_MAX_PAGES):
            more = {"continue": after} if after else {}
            page = self.get(path, limit=str(_PAGE), **query, **more)
            items += documents_at(page, "items")
            after = text_at(page, "metadata", "continue")
            if not after:
                break
        return items

    def call(self, method: str, path: str, document: Document | None = None) -> Document:
        """Send a request to the API and return its answer.

        Raises:
            ApiError: the master refused.
            ClickException: it cannot be reached, or its answer is none.
        """
        return self.request(method, path, document=document).document()

    def request(
        self,
        method: str,
        path: str,
        *,
        document: Document | None = None,
        kind: str = JSON,
        accept: str = JSON,
    ) -> Answer:
        """Send a request to the API, say what the master warns of, and return its good answer.

        Raises:
            ApiError: the master refused.
            ClickException: it cannot be reached, or its answer is none.
        """
        headers = self._headers(accept)
        body = None
        if document is not None:
            headers["Content-Type"] = kind
            body = json.dumps(document).encode()
        answer = self.send(method, path, headers=headers, body=body)
        if answer.status >= 300:
            raise _refusal(self.server, answer)
        for text in _WARNING.findall(answer.headers.get("warning", "")):
            shown = re.sub(r"\\(.)", r"\1", text)
            click.echo(f"Warning: {printable(shown)}", err=True)
        return answer

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send any request and return any answer; redirects are not followed.

        Raises:
            ClickException: the server cannot be reached or is not trusted.
        """
        with self._exchange(method, path, headers=headers, body=body) as response:
            return self._read(response)

    @contextlib.contextmanager
    def stream(self, path: str, *, accept: str, silence: float) -> Iterator["HTTPResponse"]:
        """Give an answer that is read while it comes; the wait for its next part is bounded.

        Raises:
            ApiError: the master refused.
            ClickException: it cannot be reached, or was silent for too long.
        """
        with self._exchange("GET", path, headers=self._headers(accept), wait=silence) as response:
            if response.status >= 300:
                raise _refusal(self.server, self._read(response))
            yield response

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {"Accept": accept}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    @contextlib.contextmanager
    def _exchange(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None,
        body: bytes | None = None,
        wait: float = TIMEOUT_SECONDS,
    ) -> Iterator["HTTPResponse"]:
        # A fifth of the start, which `--help` does without.
        from http.client import HTTPException, HTTPSConnection  # noqa: PLC0415

        if self._context is None:
            self._context = make_context(self.trust)
        parts = urlsplit(self.server)
        connection = HTTPSConnection(
            parts.hostname or "", parts.port, timeout=wait, context=self._context
        )
        try:
            connection.request(method, parts.path + path, body=body, headers=headers or {})
            yield connection.getresponse()
        except ssl.SSLCertVerificationError as error:
            raise click.ClickException(_untrusted(self.server, error)) from error
        except (OSError, HTTPException) as error:
            text = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unreachable(
                f"{self.server} cannot be reached: {text}; check the address, and that the "
                "master runs there"
            ) from error
        finally:
            connection.close()

    def _read(self, response: "HTTPResponse") -> Answer:
        content = response.read(_MAX_ANSWER_BYTES + 1)
        if len(content) > _MAX_ANSWER_BYTES:
            raise click.ClickException(f"{self.server} sent an answer that is too large")
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=found, body=content)

    def post_form(self, path: str, **values: str) -> Answer:
        """Send a form, which is where secrets of OAuth belong."""
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self.send("POST", path, headers=headers, body=urlencode(values).encode())


def segment(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="~")


def _refusal(server: str, answer: Answer) -> ApiError:
    status = answer.document()
    message = printable(text_at(status, "message")[:_MAX_MESSAGE])
    lines = [message or f"{server} answered {answer.status}"]
    for cause in documents_at(status, "details", "causes")[:20]:
        field_name, reason = text_at(cause, "field"), text_at(cause, "message")
        if reason and reason not in message:
            lines.append(f"  {printable(field_name)}: {printable(reason)}")
    reason = text_at(status, "reason")
    hint = "" if reason == "AlreadyExists" else _HINTS.get(answer.status, "")
    if answer.status == 403 and " in project " in message:
        hint = f"The projects that you can see: atomic-registry projects\n{hint}"
    if hint:
        lines.append(hint.format(server=server))
    return ApiError("\n".join(lines), status=answer.status, reason=reason)


_HINTS = {
    401: "Log in again: atomic-registry login {server}",
    403: "What you may do and why: atomic-registry can-i VERB RESOURCE --why",
    409: "It has changed meanwhile: try again.",
    429: "Wait a while before the next try.",
    500: "The master's log tells more.",
    503: "Try again soon; `atomic-registry status` tells how the services are.",
}


def _untrusted(server: str, error: ssl.SSLCertVerificationError) -> str:
    return (
        f"the certificate of {server} is not trusted: {error.verify_message}\n"
        "Give the registry's authority with --certificate-authority FILE; on the server it is "
        "master/ca.crt below the root.\n"
        "--insecure-skip-tls-verify trusts whoever answers, with your password."
    )
