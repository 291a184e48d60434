"""While everybody may do everything, the registry is for its own machine only."""

import pytest

from atomic_registry.app import refuse_open_policy_in_public
from atomic_registry.system.failures import CannotServe


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_open_policy_may_listen_on_loopback(host: str) -> None:
    refuse_open_policy_in_public(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "registry.example.com", ""])
def test_the_open_policy_may_not_listen_for_others(host: str) -> None:
    with pytest.raises(CannotServe, match=r"access\.policy=open"):
        refuse_open_policy_in_public(host)
