"""One module per command; see ``trunkzoo_cli.group.COMMANDS``."""
