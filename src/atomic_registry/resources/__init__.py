"""Kubernetes-style objects: which kinds there are, and what may be done with them."""
