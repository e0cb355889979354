"""
MetalLB's objects and its legacy ConfigMap text to configuration documents of ours.

Here belongs what a value of theirs becomes here, and what is said about one that cannot be carried over. Reading files
or a cluster, and writing the result, do not: they are the business of `cli` and `cluster`.
"""
