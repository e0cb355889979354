"""Measurements of speed and memory: `make bench`. Every figure stands beside a floor measured in the same run."""
