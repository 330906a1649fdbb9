"""Torch operations that plugins share: attention over depth, norms, per-sample random numbers. Import the modules."""
