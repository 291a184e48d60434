"""Alembic's script directory; loaded only when the schema is not current."""
