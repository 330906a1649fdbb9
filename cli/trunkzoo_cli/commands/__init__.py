"""One module per command; see ``trunkzoo_cli.app.COMMANDS``."""
