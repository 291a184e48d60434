"""The environment of this process; the only place that reads it, and one that imports nothing else."""

import os
from collections.abc import Mapping


def process_environment() -> Mapping[str, str]:
    """Return the environment variables of this process."""
    return dict(os.environ)
