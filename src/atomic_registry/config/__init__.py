"""Settings: one tree of options, and the sources it is merged from."""
