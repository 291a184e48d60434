"""The Kubernetes-style API of the master."""
