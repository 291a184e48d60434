"""Pure vocabulary of the OCI specifications: no I/O, no async, no clock."""
