"""What the query of a write asks for: who writes, how strictly, and whether only to try.

Source: Kubernetes API, `CreateOptions`, `UpdateOptions`, `PatchOptions`.
"""

from collections.abc import Sequence

from atomic_registry.errors import ParameterInvalid
from atomic_registry.resources.writes import FieldValidation, PatchType, WriteOptions
from atomic_registry.web.messages import Query, Request, Response

_MAX_MANAGER = 128
_MAX_SHOWN = 200
_TRUE = ("true", "1")
_FALSE = ("", "false", "0")


def read_write_options(request: Request, patch_type: PatchType | None = None) -> WriteOptions:
    """Return who writes and how.

    Raises:
        ParameterInvalid: an option is missing, or has no meaning here.
    """
    query = request.query
    is_apply = patch_type is PatchType.APPLY
    manager = query.get("fieldManager") or ""
    if is_apply and not manager:
        raise _invalid("fieldManager", manager, "it is required for an apply")
    if len(manager) > _MAX_MANAGER or not manager.isprintable():
        reason = f"use at most {_MAX_MANAGER} printable characters"
        raise _invalid("fieldManager", manager, reason)
    force = _read_flag(query, "force")
    if force and not is_apply:
        raise _invalid("force", "true", "it is for server-side apply only")
    return WriteOptions(
        manager=manager or _agent(request), force=force, validation=_read_validation(query)
    )


def is_dry_run(query: Query, more_stages: Sequence[str] = ()) -> bool:
    """Tell whether everything is to be checked and nothing kept.

    Raises:
        ParameterInvalid: it asks for a stage that there is not.
    """
    stages = [stage for stage in (*query.get_all("dryRun"), *more_stages) if stage]
    for stage in stages:
        if stage != "All":
            raise _invalid("dryRun", stage, "the only stage is All")
    return bool(stages)


def warn(response: Response, warnings: tuple[str, ...]) -> Response:
    """Tell the client what is odd about its request (RFC 7234 section 5.5)."""
    if warnings:
        response.headers["Warning"] = ", ".join(f'299 - "{_quoted(text)}"' for text in warnings)
    return response


def _agent(request: Request) -> str:
    # As in Kubernetes: the name of the program, without its version.
    name = request.headers.get("User-Agent", "").partition("/")[0][:_MAX_MANAGER].strip()
    return name if name and name.isprintable() else "unknown"


def _read_validation(query: Query) -> FieldValidation:
    text = query.get("fieldValidation") or FieldValidation.WARN.value
    for known in FieldValidation:
        if known.value == text:
            return known
    names = ", ".join(known.value for known in FieldValidation)
    raise _invalid("fieldValidation", text, f"use one of {names}")


def _read_flag(query: Query, name: str) -> bool:
    text = query.get(name) or ""
    if text in _TRUE:
        return True
    if text not in _FALSE:
        raise _invalid(name, text, "use true or false")
    return False


def _quoted(text: str) -> str:
    clipped = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    plain = "".join(letter if letter.isprintable() else " " for letter in clipped)
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return escaped.encode("ascii", "backslashreplace").decode()


def _invalid(parameter: str, value: str, reason: str) -> ParameterInvalid:
    return ParameterInvalid(parameter=parameter, value=value, reason=reason)
