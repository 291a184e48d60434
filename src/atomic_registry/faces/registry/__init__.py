"""The registry service: the OCI distribution API under /v2/."""
