"""Which plugins are installed, what they ship, and how a name finds one of their records."""
