"""Settings of the whole suite."""

import os

from hypothesis import HealthCheck, settings

# The same examples on every run: a failure in CI must repeat on a desk.
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
