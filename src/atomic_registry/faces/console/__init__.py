"""The face for browsers on port 9090: a page that says where registry and master are."""

from atomic_registry.faces.console.routes import ROWS, endpoints, render_error, render_internal

__all__ = ["ROWS", "endpoints", "render_error", "render_internal"]
