"""Redirect URIs: a client gets answers where it has registered, and nowhere else."""

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from atomic_registry.identity.oauth_clients import find_redirect_fault, matches_redirect

_HOSTS = ("a.test", "A.test", "a.test.evil.test", "evil.test", "127.0.0.1", "[::1]", "localhost")
_SEGMENTS = ("cb", "cb2", "x", ".", "..", "%2e%2e", "%2E.", "", "a%2f..", "%5c..")
_NOISE = st.text("/\\.:@#?%;&= \t\r\nabe2fc5x\u3002\uff0f\xad", max_size=12)

_uris = st.builds(
    "{}{}{}{}{}{}".format,
    st.sampled_from(("https://", "http://", "HTTPS://", "https:", "com.app:/", "javascript:")),
    st.sampled_from(("", "user@", "a.test@", "a.test:x@")),
    st.sampled_from(_HOSTS),
    st.sampled_from(("", ":80", ":443", ":4711", ":")),
    st.lists(st.sampled_from(_SEGMENTS), max_size=4).map(lambda them: "".join(f"/{it}" for it in them)),
    st.sampled_from(("", "?x=1", "?", "#", "#x", "?x=1#x")),
)  # fmt: skip
_any = _uris | st.builds(str.__add__, _uris, _NOISE) | st.builds(str.__add__, _NOISE, _uris)
_DEFAULTS = {"http": 80, "https": 443}


def _origin(uri: str) -> tuple[str, str, int | None]:
    parts = urlsplit(uri)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULTS.get(parts.scheme)


@given(registered=_any, wanted=_any)
def test_what_matches_has_the_origin_of_what_is_registered(registered: str, wanted: str) -> None:
    if not matches_redirect([registered], wanted):
        return
    own, theirs = _origin(registered), _origin(wanted)
    assert own[:2] == theirs[:2]
    is_free = own[0] == "http" and own[1] in {"127.0.0.1", "::1"}
    if not is_free or urlsplit(registered).port is not None:
        assert own[2] == theirs[2]
    assert urlsplit(registered).query == urlsplit(wanted).query


@given(registered=_any, wanted=_any)
def test_what_matches_lies_at_or_below_what_is_registered(registered: str, wanted: str) -> None:
    if not matches_redirect([registered], wanted):
        return
    base = [it for it in urlsplit(registered).path.split("/") if it]
    path = [it for it in urlsplit(wanted).path.split("/") if it]
    assert path[: len(base)] == base


@given(registered=_any, wanted=_any)
def test_what_matches_can_be_read_in_one_way_only(registered: str, wanted: str) -> None:
    if not matches_redirect([registered], wanted):
        return
    assert wanted.isascii()
    assert wanted.isprintable()
    assert not set(wanted) & set("\\# \t\r\n")
    assert "@" not in urlsplit(wanted).netloc
    plain = urlsplit(wanted).path.lower()
    for escape, sign in (("%2e", "."), ("%2f", "/"), ("%5c", "/")):
        plain = plain.replace(escape, sign)
    assert not {".", ".."} & set(plain.split("/"))


@given(uri=_any)
def test_what_can_be_redirected_to_at_all_matches_itself(uri: str) -> None:
    assert matches_redirect([uri], uri) == (find_redirect_fault(uri) is None)


@given(wanted=_any, registered=st.lists(_any, max_size=3))
def test_more_registered_uris_never_take_a_match_away(wanted: str, registered: list[str]) -> None:
    one_by_one = any(matches_redirect([it], wanted) for it in registered)
    assert matches_redirect(registered, wanted) == one_by_one
