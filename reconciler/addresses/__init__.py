"""Arithmetic on IP addresses: families, ranges and sets of them. Knows nothing of Kubernetes."""
