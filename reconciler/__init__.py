"""LB Reconciler: load-balancer addresses for bare-metal Kubernetes, from files under version control."""

__version__ = "0.1.0"
