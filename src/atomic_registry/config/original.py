"""The sources of the original product: `config.yml`, and the variables of its sysconfig files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from atomic_registry.config.load import Foreign, Given, Mistake
from atomic_registry.config.options import list_options
from atomic_registry.config.registry_config import PREFIX, RegistryConfig
from atomic_registry.config.registry_values import Reader, as_it_is, listen, public_host

CONFIGURATION_PATH = "REGISTRY_CONFIGURATION_PATH"
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
_REGISTRY_DIRECTORY = Path("/etc/atomic-registry/registry")
# podman's file of passwords, and what a pod gets for a service of Kubernetes called registry.
_STRANGERS = ("REGISTRY_AUTH_FILE", "REGISTRY_SERVICE_", "REGISTRY_PORT")


def _port(value: object) -> object:
    return listen(f":{value}")


def _debug(value: object) -> object:
    return "debug" if "cockpit" in str(value) else None


def _master_file(value: object) -> object:
    # The name is one that other programs may use for something else.
    return value if str(value).endswith("master-config.yaml") else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable of a sysconfig file: the option that it sets, or why it sets none."""

    name: str
    option: str = ""
    read: Reader = as_it_is
    ignored: str = ""

    @property
    def effect(self) -> str:
        """What happens, in words."""
        return f"sets `{self.option}`" if self.option else f"no effect: {self.ignored}"


_IMAGE = "services run from the installed package"
_ONE_DATABASE = "the services meet in the database"
_NO_CLUSTER = "there is no cluster around the registry"

# A later one wins.
VARIABLES = (
    Variable(name="CONFIG_FILE", option="master.config_file", read=_master_file),
    Variable(name="MASTERPORT", option="master.listen", read=_port),
    Variable(name="REGISTRYPORT", option="http.listen", read=_port),
    Variable(name="CONSOLEPORT", option="console.listen", read=_port),
    Variable(name="G_MESSAGES_DEBUG", option="log.level", read=_debug),
    Variable(name="REGISTRY_HOST", option="http.public_host", read=public_host),
    Variable(name="DOCKER_REGISTRY_URL", option="http.public_host", read=public_host),
    Variable(name="OPENSHIFT_DEFAULT_REGISTRY", option="http.public_host", read=public_host),
    *(
        Variable(name=name, ignored=_IMAGE)
        for service in ("MASTER", "REGISTRY", "CONSOLE")
        for name in (f"{service}IMAGE", f"{service}TAG")
    ),
    Variable(name="REGISTRY_ONLY", ignored="the console shows the registry only"),
    Variable(name="OPENSHIFT_OAUTH_CLIENT_ID", ignored="the console's client has its own name"),
    Variable(name="OPENSHIFT_OAUTH_PROVIDER_URL", ignored=_ONE_DATABASE),
    Variable(name="OAUTH_PROVIDER_URL", ignored=_ONE_DATABASE),
    Variable(name="KUBERNETES_INSECURE", ignored="certificates are always verified"),
    Variable(name="KUBERNETES_CA_DATA", ignored=_ONE_DATABASE),
    Variable(name="COCKPIT_KUBE_URL", ignored=_ONE_DATABASE),
    Variable(name="COCKPIT_KUBE_INSECURE", ignored="TLS is set by `console.tls`"),
    *(
        Variable(name=name, ignored=_NO_CLUSTER)
        for name in ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    ),
)
_BY_NAME = {variable.name: variable for variable in VARIABLES}
_SERVICE_HOST, _SERVICE_PORT = "DOCKER_REGISTRY_SERVICE_HOST", "DOCKER_REGISTRY_SERVICE_PORT"


def read_original(environment: Mapping[str, str], registry_config: Path | None = None) -> Foreign:
    """Return what these sources set, all that is wrong with them, and what has no effect.

    The file is `registry_config`, or the one that REGISTRY_CONFIGURATION_PATH names.
    """
    config = RegistryConfig()
    named = registry_config or Path(environment.get(CONFIGURATION_PATH) or "")
    if named != Path():
        config.read_file(named)
    ignored: list[str] = []
    for name in sorted(environment):
        known = _BY_NAME.get(name)
        if known is not None:
            ignored += [name] if known.ignored else []
        elif name.startswith(_STRANGERS) or name == CONFIGURATION_PATH:
            continue
        elif name.startswith(PREFIX) and not config.read_variable(name, environment[name]):
            ignored.append(name)
    given = [_as_loaded(it, environment) for it in config.given()]
    mistakes: list[Mistake] = []
    variables = list(_variables(environment, mistakes))
    return Foreign(
        file=(*_service_address(environment), *(it for it in given if not _is_variable(it))),
        environment=(*variables, *(it for it in given if _is_variable(it))),
        mistakes=(*config.mistakes, *mistakes),
        ignored=(*config.ignored, *ignored),
    )


def _is_variable(given: Given) -> bool:
    return given[2].startswith("environment ")


def _variables(environment: Mapping[str, str], mistakes: list[Mistake]) -> Iterator[Given]:
    options = list_options()
    for variable in VARIABLES:
        text = environment.get(variable.name)
        if not text or not variable.option:
            continue
        try:
            value = variable.read(text)
            if value is not None:
                option = options[variable.option]
                yield option, option.read(value), f"environment {variable.name}"
        except ValueError as error:
            reason = str(error)
            mistakes.append(Mistake(origin="environment", key=variable.name, reason=reason))


def _service_address(environment: Mapping[str, str]) -> Iterator[Given]:
    """What stands in where nothing names the registry's address."""
    host, port = environment.get(_SERVICE_HOST), environment.get(_SERVICE_PORT)
    if host and port:
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        yield list_options()["http.public_host"], address, f"environment {_SERVICE_HOST}"


def _as_loaded(given: Given, environment: Mapping[str, str]) -> Given:
    """Put the copy that systemd made for the service in the place of a file that only root reads.

    So the file is named as the original does, and its key stays root's.
    """
    option, value, origin = given
    directory = environment.get(_CREDENTIALS)
    if not directory or option.key not in {"http.tls.certificate", "http.tls.key"}:
        return given
    if not isinstance(value, Path) or value.parent != _REGISTRY_DIRECTORY:
        return given
    copy = Path(directory) / value.name
    return (option, copy, origin) if copy.exists() else given
