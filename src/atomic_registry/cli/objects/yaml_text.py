"""Objects as YAML: read and written so that a round trip, also through kubectl, changes nothing."""

import re
from collections.abc import Iterator

import yaml


class TextInvalid(ValueError):
    """A text that is no YAML; the message says where, without quoting it."""


class _Loader(yaml.SafeLoader):
    """Reads moments and numbers like 1:30 as the text they are, and refuses a key given twice."""


class _Dumper(yaml.SafeDumper):
    """Writes nothing by reference, and long lines as they are."""

    def ignore_aliases(self, data: object) -> bool:
        return True


_LOST = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _LOST]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(?:\.[0-9]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)\Z"),
    list("-+0123456789"),
)
# What other readers would take for a number.
_NUMBER_LIKE = re.compile(r"[-+]?[.]?[0-9][0-9a-fA-FoOxXeE_.:+-]*\Z")


def parse_documents(text: str) -> Iterator[object]:
    """Yield the documents of a text; JSON is YAML too.

    Raises:
        TextInvalid: it is none.
    """
    try:
        for document in yaml.load_all(text, Loader=_Loader):
            if document is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise TextInvalid(f"{where}{error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TextInvalid(str(error) or "it is nested too deeply") from error


def dump_document(document: object) -> str:
    """Return an object as YAML, keys in order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=1 << 20)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[object, object]:
    loader.flatten_mapping(node)
    found: dict[object, object] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            key = key_node.value
        if key in found:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands twice", key_node.start_mark
            )
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    tag = "tag:yaml.org,2002:str"
    if "\n" in data and not re.search(r"[ \t]\n|[^\n\t\x20-\x7e\xa0-\ud7ff]", data):
        return dumper.represent_scalar(tag, data, style="|")
    style = "'" if _NUMBER_LIKE.match(data) else None
    return dumper.represent_scalar(tag, data, style=style)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Dumper.add_representer(str, _text)
