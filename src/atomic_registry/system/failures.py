"""Why a service does not start."""

# sysexits.h: something was found in a misconfigured state. The units do not start again after it.
CONFIGURATION_EXIT = 78


class CannotServe(Exception):
    """The service cannot start, and trying again changes nothing; the message says what to do."""
