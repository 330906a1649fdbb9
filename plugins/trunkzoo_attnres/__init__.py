"""Built-in plugin: attnres."""
