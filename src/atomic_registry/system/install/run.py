"""Takes the steps of a plan in turn, and takes them back if one fails."""

from collections.abc import Callable, Sequence

from atomic_registry.config.load import ConfigInvalid
from atomic_registry.system.install.ledger import Ledger, save_ledger
from atomic_registry.system.install.steps import Outcome, Step
from atomic_registry.system.install.target import InstallFailed, Target


def apply_steps(
    steps: Sequence[Step], target: Target, ledger: Ledger, tell: Callable[[str], None]
) -> None:
    """Take all the steps, or none.

    Raises:
        InstallFailed: one failed; the message says which, and what was taken back.
    """
    taken: list[tuple[Step, Outcome]] = []
    for step in steps:
        try:
            outcome = step.apply(target, ledger)
        except (OSError, ConfigInvalid, InstallFailed) as error:
            left = _take_back(taken)
            raise InstallFailed(_failure(step, error, left)) from error
        taken.append((step, outcome))
        tell(f"{step.describe()}: {outcome.text}")
        for line in outcome.lines:
            tell(f"    {line}")
    try:
        save_ledger(target, ledger)
    except OSError as error:
        left = _take_back(taken)
        raise InstallFailed(_failure(None, error, left)) from error


def _take_back(taken: list[tuple[Step, Outcome]]) -> list[str]:
    """Undo the steps, the last one first; return what could not be undone."""
    left = []
    for step, outcome in reversed(taken):
        if outcome.undo is None:
            continue
        try:
            outcome.undo()
        except (OSError, InstallFailed) as error:
            left.append(f"{step.describe()}: {error}")
    return left


def _failure(step: Step | None, error: Exception, left: Sequence[str]) -> str:
    what = "the list of what was written" if step is None else step.describe()
    reason = str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        reason = place + (error.strerror or str(error))
    state = "all that was done before is taken back; mend that and install again"
    if left:
        state = "taken back, but for:\n  " + "\n  ".join(left)
    return f"{what} failed: {reason}\n{state}"
