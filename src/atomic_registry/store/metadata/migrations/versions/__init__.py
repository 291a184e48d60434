"""The revisions, each written by hand; `rNNNN_` numbers are the schema versions."""
