"""Grammars of names and labels. Each function returns what is wrong, or None.

Source: Kubernetes, "Object Names and IDs" and "Labels and Selectors".
"""

import re

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?\Z")
_MAX_NAME = 253


def dns_label_fault(name: str) -> str | None:
    """Names of projects; RFC 1123."""
    if _LABEL.match(name):
        return None
    return "use 1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends"


def dns_subdomain_fault(name: str) -> str | None:
    """Names that are parts of host names."""
    if len(name) <= _MAX_NAME and _SUBDOMAIN.match(name):
        return None
    return (
        f"use at most {_MAX_NAME} lower-case letters, digits, '-' or '.', "
        "with a letter or digit at both ends of each part"
    )


def path_segment_fault(name: str) -> str | None:
    """Names that only have to fit into a URL."""
    if not name or len(name) > _MAX_NAME:
        return f"use 1 to {_MAX_NAME} characters"
    if name in {".", "..", "~"}:
        return f"it may not be '{name}'"
    if any(letter in name for letter in "/\\%") or not name.isprintable():
        return "it may not contain '/', '\\', '%' or characters without a shape"
    return None


def account_name_fault(name: str) -> str | None:
    """Names of users and groups; a colon would let them pose as the system's own."""
    if ":" in name:
        return "it may not contain ':'"
    return path_segment_fault(name)


def label_key_fault(key: str) -> str | None:
    """Keys of labels and annotations: `name` or `prefix/name`."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not prefix or dns_subdomain_fault(prefix.lower())):
        return "its prefix must be a DNS name"
    if not _QUALIFIED.match(name):
        return "use at most 63 letters, digits, '-', '_' or '.', with a letter or digit at the ends"
    return None


def label_value_fault(value: str) -> str | None:
    """Values of labels."""
    if _VALUE.match(value):
        return None
    return "use at most 63 letters, digits, '-', '_' or '.', with a letter or digit at the ends"
