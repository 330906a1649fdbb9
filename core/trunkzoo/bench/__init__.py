"""Measurements: what trunks and agents cost. Imports torch only inside its modules."""
