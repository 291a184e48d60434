"""Benchmarks against docker-registry and nginx on the same machine in the same run."""
