"""Which Service holds which address: pure functions over the configuration and the cluster as observed."""
