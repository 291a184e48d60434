"""Reads YAML that strangers send: plain data of JSON's types, without anchors, within bounds."""

import asyncio
import math
from collections.abc import Hashable

import yaml

from atomic_registry.errors import ParameterInvalid, TooLarge

_MAX_BYTES = 512 * 1024
_MAX_DEPTH = 50
_MAX_EVENTS = 200_000
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


_Mapping = dict[Hashable, object]


class _Loader(yaml.CSafeLoader):
    """The safe loader; a time stays the text that it is, and a key may stand once."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the library's way to change it
        first: [pair for pair in pairs if pair[0] != _TIMESTAMP]
        for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }

    # The signature is the library's.
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> _Mapping:  # noqa: FBT001, FBT002
        mapping: _Mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise _bad("a key stands twice in one object")
        return mapping


async def parse_yaml(content: bytes) -> object:
    """Return the one document of a YAML text.

    Raises:
        TooLarge: it is longer than people write by hand.
        ParameterInvalid: it is no YAML, or has anchors, tags or more than JSON can say.
    """
    if len(content) > _MAX_BYTES:
        raise TooLarge(what="the YAML document (send JSON, which may be longer)", limit=_MAX_BYTES)
    return await asyncio.to_thread(_parse, content)


def _parse(content: bytes) -> object:
    try:
        text = content.decode()
        _check_events(text)
        # The loader is a safe one.
        tree: object = yaml.load(text, Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Parts of the body may be secret, so the message names none of it.
        raise _bad("it is not YAML of a single document") from error
    return _plain(tree)


def _check_events(text: str) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        depth += isinstance(event, _OPENING)
        depth -= isinstance(event, _CLOSING)
        if depth > _MAX_DEPTH or count > _MAX_EVENTS:
            raise _bad("it is nested too deeply, or has too many parts")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _bad("it may not have anchors")
        if getattr(event, "tag", None) is not None:
            raise _bad("it may not have tags")


def _plain(value: object) -> object:
    """Return the value if JSON could say it too."""
    match value:
        case None | bool():
            return value
        case str():
            _check_text(value)
            return value
        case int() if abs(value) < 2**63:
            return value
        case float() if math.isfinite(value):
            return value
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {_key(key): _plain(member) for key, member in value.items()}
        case _:
            raise _bad("a value is none that JSON could have")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise _bad("the name of a field must be a text; put it in quotes")
    _check_text(key)
    return key


def _check_text(text: str) -> None:
    if "\0" in text:
        raise _bad("it may not contain the character U+0000")


def _bad(reason: str) -> ParameterInvalid:
    return ParameterInvalid(parameter="the body", value="YAML", reason=reason)
