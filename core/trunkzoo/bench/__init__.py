"""Benchmarks: what a trunk and a whole agent cost in time and arithmetic. Only the modules import torch."""
