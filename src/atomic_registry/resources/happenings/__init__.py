"""Kubernetes events: what happened to a project's repositories, for people who look for a cause."""
