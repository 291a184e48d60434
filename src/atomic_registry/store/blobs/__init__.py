"""Blob stores: adapters of `content.ports.BlobStore`."""


def check_key(key: str) -> str:
    """Return the key if it can only name something below the store's root.

    Raises:
        ValueError: it is absolute, or has empty, `.` or `..` parts, or a NUL.
    """
    if "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise ValueError(f"{key!r} is not a key of a blob store")
    return key
