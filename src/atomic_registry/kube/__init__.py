"""The vocabulary of Kubernetes-style objects: pure values, no input or output."""
