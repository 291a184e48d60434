"""Processes, sockets and TLS."""
