"""Built-in plugin: imf."""
