"""The command line of trunkzoo: thin commands over the public Python API."""
