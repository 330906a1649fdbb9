"""Training: a pure function of its configuration that can be killed anywhere and continued bit-equal."""
