"""The Kubernetes API, or something that looks like it: reads the world, carries out Service actions."""
