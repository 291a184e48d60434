"""How values of `config.yml` become those of our options; each reader raises ValueError."""

import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

Reader = Callable[[object], object]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s|us|µs|ns)"
_DURATION = re.compile(f"(?:{_PART}){{1,7}}")
_PARTS = re.compile(_PART)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_LEVELS = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
    "fatal": "error",
    "panic": "error",
}
_FOREVER = 86400
# What TLS 1.3 uses cannot be chosen, neither in Go nor here.
_TLS13 = frozenset(
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
)
_CIPHERS = {
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}


def as_it_is(value: object) -> object:
    """Return the value, which the option itself checks."""
    return value


def only(*allowed: object) -> Reader:
    """Return a reader that takes only these values."""

    def read(value: object) -> object:
        # True == 1 in Python, but not in a document.
        if not any(type(value) is type(it) and value == it for it in allowed):
            raise ValueError(f"{value!r} is not {' or '.join(map(str, allowed))}")
        return value

    return read


def is_empty(value: object) -> bool:
    """Tell whether a value asks for nothing."""
    return not value


def inverted(value: object) -> object:
    """Return the opposite of a flag."""
    return not value if isinstance(value, bool) else value


def off_if_set(value: object) -> object:
    """Return False for a flag that is on, and nothing for one that is off."""
    return None if value is False else inverted(value)


def level(value: object) -> object:
    """Return our name of a level of severity."""
    if isinstance(value, str) and value.lower() in _LEVELS:
        return _LEVELS[value.lower()]
    raise ValueError(f"{value!r} is not one of {', '.join(_LEVELS)}")


def listen(value: object) -> object:
    """Return the address; without a host it stands for all of this machine."""
    text = _text(value)
    return f"0.0.0.0{text}" if text.startswith(":") else text  # noqa: S104 - as in the original


def json_text(value: object) -> object:
    """Return a mapping, or nothing, as the text of an option."""
    if value is None:
        return ""
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a mapping")  # noqa: TRY004
    return json.dumps(value, sort_keys=True) if value else ""


def joined_paths(value: object) -> object:
    """Return a list of files as the text of an option."""
    items = [] if value is None else value
    if not isinstance(items, list) or not all(isinstance(it, str) and it for it in items):
        raise ValueError(f"{value!r} is not a list of files")
    return ",".join(items)


def ciphers(value: object) -> object:
    """Return OpenSSL's names of cipher suites; those of TLS 1.3 are always there."""
    items = [] if value is None else value
    if not isinstance(items, list):
        raise ValueError(f"{value!r} is not a list of cipher suites")  # noqa: TRY004
    unknown = [str(it) for it in items if it not in _CIPHERS and it not in _TLS13]
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: unknown, or not safe; known are {', '.join(_CIPHERS)}"
        )
    return ":".join(dict.fromkeys(_CIPHERS[it] for it in items if it in _CIPHERS))


def tls_version(value: object) -> object:
    """Return the version of TLS that is asked for at least; below 1.2 none is spoken."""
    text = str(value).lower().removeprefix("versiontls").removeprefix("tls")
    text = {"10": "1.0", "11": "1.1", "12": "1.2", "13": "1.3"}.get(text, text)
    if text not in {"1.0", "1.1", "1.2", "1.3"}:
        raise ValueError(f"{value!r} is not tls1.2 or tls1.3")
    return max(text, "1.2")


def seconds(value: object) -> object:
    """Return a duration in whole seconds, at least one, or 0."""
    exact = _duration(value)
    return max(1, round(exact)) if exact else 0


def hours(value: object) -> object:
    """Return a duration in whole hours, rounded up: nothing is removed before its time."""
    return -int(-_duration(value) // 3600)


def seconds_or_forever(value: object) -> object:
    """Return a duration in seconds, where 0 stands for no end; a day is as good as that."""
    return seconds(value) or _FOREVER


def web_origin(value: object) -> object:
    """Return scheme and host of a URL, as the option for where tokens are got has them."""
    text = _text(value)
    parts = urlsplit(text)
    is_plain = parts.path in {"", "/"} and not parts.query and not parts.fragment
    if parts.scheme not in {"http", "https"} or not _HOST.match(parts.netloc) or not is_plain:
        raise ValueError(f"{text!r} does not read https://HOST:PORT")
    return f"{parts.scheme}://{parts.netloc}"


def origin_of(value: object) -> object:
    """Return scheme and host of a URL; nothing for nothing."""
    return web_origin(value) if value else ""


def public_host(value: object) -> object:
    """Return the host, with its port, of a URL or of an address."""
    text = _text(value or "").rstrip("/")
    host = text.partition("://")[2] if "://" in text else text
    if host and not _HOST.match(host):
        raise ValueError(f"{text!r} does not read HOST:PORT")
    return host


def wanted_endpoints(value: object) -> list[object]:
    """Return the endpoints that are not disabled."""
    items = value if isinstance(value, list) else [value] if value else []
    return [it for it in items if not (isinstance(it, dict) and it.get("disabled") is True)]


def read_headers(text: str) -> dict[str, str]:
    """Return the headers of the option `http.headers`.

    Raises:
        ValueError: it is no JSON object of names and texts, or a header could not be sent.
    """
    headers: dict[str, str] = {}
    for name, value in _object(text).items():
        values = value if isinstance(value, list) else [value]
        texts = [it for it in values if isinstance(it, str) and it.isprintable() and it.isascii()]
        if len(texts) != len(values):
            raise ValueError(f"{name}: a header's value is text, or a list of texts, in ASCII")
        if not _HEADER_NAME.match(name):
            raise ValueError(f"{name!r} is no name of a header")
        headers[name] = ", ".join(texts)
    return headers


def read_fields(text: str) -> dict[str, str]:
    """Return the fields of the option `log.fields`.

    Raises:
        ValueError: it is no JSON object.
    """
    return {name: str(value) for name, value in _object(text).items()}


def _object(text: str) -> dict[str, object]:
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError('it must be a JSON object, for example {"name": "value"}')  # noqa: TRY004
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")  # noqa: TRY004
    return value


def _duration(value: object) -> float:
    # Go reads a bare number as nanoseconds; nobody means that but with 0.
    if value == 0 and not isinstance(value, bool):
        return 0.0
    text = str(value)
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{value!r} is not a duration, for example 24h or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(text))
