"""The catalogue of installed plugins: what they ship, and how a name finds one of their records."""
