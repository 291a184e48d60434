"""What can be a user name and a password at all, for every provider."""

_MAX_CHARACTERS = 1024


def is_usable_pair(username: str, password: str) -> bool:
    """Tell whether it is worth asking about the pair.

    An empty password is an anonymous bind to LDAP, which succeeds; a NUL ends the text for
    servers that are written in C, and makes it empty.
    """
    return bool(username.strip()) and all(
        0 < len(text) <= _MAX_CHARACTERS and "\0" not in text and _is_encodable(text)
        for text in (username, password)
    )


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
