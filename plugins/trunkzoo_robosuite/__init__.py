"""Built-in plugin: robosuite."""
