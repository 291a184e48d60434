"""Merges defaults, files, environment and flags into settings, and reports all mistakes at once."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from atomic_registry.config.options import (
    ENVIRONMENT_PREFIX,
    Option,
    Value,
    build,
    list_options,
    section_help,
)
from atomic_registry.config.registry_values import read_fields, read_headers
from atomic_registry.config.settings import Settings, parse_listen, parse_networks

FILE_NAME = "config.yaml"
MAX_FILE_BYTES = 1024 * 1024
# A pod gets these for a Kubernetes service called atomic-registry; they are not ours to judge.
_SERVICE_LINKS = (f"{ENVIRONMENT_PREFIX}SERVICE_", f"{ENVIRONMENT_PREFIX}PORT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong: where it stands, which key, why, and what may help."""

    origin: str
    key: str
    reason: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.origin}: {self.key}" if self.key else self.origin
        return f"{place}: {self.reason}" + (f" ({self.hint})" if self.hint else "")


class ConfigInvalid(Exception):
    """The configuration cannot be used; carries every mistake that was found."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings, and for every key the source that gave its value."""

    settings: Settings
    values: Mapping[str, Value]
    origins: Mapping[str, str]
    ignored: tuple[str, ...] = ()


Given = tuple[Option, Value, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What sources in the form of the original product set: a file, and variables.

    `ignored` are their keys that have no effect here.
    """

    file: tuple[Given, ...] = ()
    environment: tuple[Given, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    ignored: tuple[str, ...] = ()


def load(
    flags: Mapping[str, object],
    environment: Mapping[str, str],
    files: Sequence[Path],
    *,
    foreign: Foreign | None = None,
) -> Loaded:
    """Return the settings: defaults < files < environment < flags.

    `flags` maps dotted keys to values, where None means that the flag was not given.
    `<root>/config.yaml` is read before `files` when it exists. The file of `foreign` ranks between
    the two, its variables below those of our own.

    Raises:
        ConfigInvalid: with all mistakes of all sources.
    """
    merge = _Merge()
    foreign = foreign or Foreign()
    sources = [source for path in files for source in merge.read_file(path)]
    above = [*foreign.file, *sources, *foreign.environment]
    above += [*merge.read_environment(environment), *merge.read_flags(flags)]
    for item in above:
        merge.apply(*item)
    root = merge.values["root"]
    own = Path(str(root)) / FILE_NAME
    if own.exists() and own.resolve() not in {path.resolve() for path in files}:
        # The file in the root ranks below all others, so they are applied again on top of it.
        merge.apply_root_file(merge.read_file(own), own)
        for item in above:
            merge.apply(*item)
    settings = build(merge.values)
    mistakes = [*foreign.mistakes, *merge.mistakes, *_cross_checks(settings, merge.origins)]
    if mistakes:
        raise ConfigInvalid(mistakes)
    return Loaded(
        settings=settings, values=merge.values, origins=merge.origins, ignored=foreign.ignored
    )


class _Merge:
    """Values and origins so far, and the mistakes met on the way."""

    def __init__(self) -> None:
        self.options = list_options()
        self.values: dict[str, Value] = {key: it.default for key, it in self.options.items()}
        self.origins: dict[str, str] = dict.fromkeys(self.options, "default")
        self.mistakes: list[Mistake] = []

    def apply(self, option: Option, value: Value, origin: str) -> None:
        self.values[option.key] = value
        self.origins[option.key] = origin

    def apply_root_file(self, given: Iterable[Given], path: Path) -> None:
        for option, value, origin in given:
            if option.key == "root":
                reason = "the file lies in the root, so it cannot move the root"
                hint = "use --root, or a file given with --config"
                self._wrong(str(path), "root", reason, hint)
            else:
                self.apply(option, value, origin)

    def read_file(self, path: Path) -> list[Given]:
        """Return what the YAML file sets."""
        try:
            return list(self._section(read_yaml_file(path), "", str(path)))
        except ConfigInvalid as error:
            self.mistakes += error.mistakes
            return []

    def read_environment(self, environment: Mapping[str, str]) -> list[Given]:
        """Return what the variables with our prefix set."""
        by_variable = {option.variable: option for option in self.options.values()}
        given: list[Given] = []
        for name in sorted(environment):
            if not name.startswith(ENVIRONMENT_PREFIX) or name.startswith(_SERVICE_LINKS):
                continue
            option = by_variable.get(name)
            if option is None:
                hint = _nearest(name, by_variable)
                self._wrong("environment", name, "there is no such option", hint)
                continue
            try:
                given.append((option, option.read_text(environment[name]), f"environment {name}"))
            except ValueError as error:
                self._wrong("environment", name, str(error))
        return given

    def read_flags(self, flags: Mapping[str, object]) -> list[Given]:
        """Return what the flags that were given set."""
        given: list[Given] = []
        for key, raw in flags.items():
            if raw is None:
                continue
            try:
                given.append((self.options[key], self.options[key].read(raw), "flag"))
            except ValueError as error:
                self._wrong("command line", key, str(error))
        return given

    def _section(
        self, section: Mapping[object, object], prefix: str, origin: str
    ) -> Iterator[Given]:
        sections = section_help()
        for name, raw in section.items():
            key = f"{prefix}{name}"
            if key in sections:
                if isinstance(raw, dict):
                    yield from self._section(raw, f"{key}.", origin)
                elif raw is not None:
                    self._wrong(origin, key, "it must be a mapping of keys to values")
            elif key in self.options:
                try:
                    yield self.options[key], self.options[key].read(raw), origin
                except ValueError as error:
                    self._wrong(origin, key, str(error))
            else:
                hint = _nearest(key, [*self.options, *sections])
                self._wrong(origin, key, "there is no such option", hint)

    def _wrong(self, origin: str, key: str, reason: str, hint: str = "") -> None:
        self.mistakes.append(Mistake(origin=origin, key=key, reason=reason, hint=hint))


def _cross_checks(settings: Settings, origins: Mapping[str, str]) -> Iterator[Mistake]:
    yield from _check_texts(settings, origins)
    for section, tls in (("http", settings.http.tls), ("console", settings.console.tls)):
        if (tls.certificate is None) != (tls.key is None):
            present, absent = ("certificate", "key") if tls.certificate else ("key", "certificate")
            yield Mistake(
                origin=origins[f"{section}.tls.{present}"],
                key=f"{section}.tls.{present}",
                reason=f"it is set without {section}.tls.{absent}",
                hint="set both for TLS, or neither for clear HTTP",
            )
    url = settings.database.url
    if url and not url.startswith("postgresql://"):
        yield Mistake(
            origin=origins["database.url"],
            key="database.url",
            reason="it does not start with postgresql://",
            hint="leave it out for SQLite",
        )


def _check_texts(settings: Settings, origins: Mapping[str, str]) -> Iterator[Mistake]:
    """Yield what is wrong with texts that stand for something else."""
    texts: list[tuple[str, str, Callable[[str], object]]] = [
        ("http.listen", settings.http.listen, parse_listen),
        ("master.listen", settings.master.listen, parse_listen),
        ("console.listen", settings.console.listen, parse_listen),
        ("http.trusted_proxies", settings.http.trusted_proxies, parse_networks),
        ("http.headers", settings.http.headers, read_headers),
        ("log.fields", settings.log.fields, read_fields),
    ]
    for key, text, parse in texts:
        try:
            parse(text)
        except ValueError as error:
            yield Mistake(origin=origins[key], key=key, reason=f"{text!r}: {error}")


def _nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1)
    # `http.port` is far from every key in letters, but its section can still be named.
    if not close and "." not in word:
        close = [key for key in known if key.endswith(f".{word}")][:1]
    return f"did you mean {close[0]}?" if close else "`atomic-registry config sample` lists all"


def read_yaml_file(path: Path) -> dict[object, object]:
    """Return the mapping in a YAML file; an empty file is an empty one.

    Raises:
        ConfigInvalid: it cannot be read, or holds something else.
    """
    reason, hint = "", ""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        document = None
        if len(content) > MAX_FILE_BYTES:
            reason = f"it is larger than {MAX_FILE_BYTES} bytes"
        else:
            document = yaml.load(content, Loader=UniqueKeyLoader)  # noqa: S506 - a safe loader
    except OSError as error:
        reason, hint = error.strerror or str(error), "is the path right?"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = f"it is not YAML: {yaml_reason(error)}"
    else:
        if document is None and not reason:
            return {}
        if isinstance(document, dict):
            return document
        reason = reason or "it must be a mapping of keys to values"
    raise ConfigInvalid([Mistake(origin=str(path), key="", reason=reason, hint=hint)])


def yaml_reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split()) or type(error).__name__


class UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, where YAML's own takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - the base's signature
        seen: set[str] = set()
        for key_node, _ in node.value:
            # Merge keys (`<<`) may repeat what an anchor holds; scalars written out may not.
            if isinstance(key_node, yaml.ScalarNode) and key_node.value != "<<":
                if key_node.value in seen:
                    problem = f"the key {key_node.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(
                        None, None, problem, key_node.start_mark
                    )
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)
