"""Clients of the outside world."""
