"""Conditional requests. Source: RFC 9110, section 13.1.2."""


def client_holds(if_none_match: str | None, etag: str) -> bool:
    """Tell whether `If-None-Match` names the entity tag (quotes included), by weak comparison."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(each.strip().removeprefix("W/") == etag for each in if_none_match.split(","))
