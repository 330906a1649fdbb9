"""Built-in plugin: resnet."""
