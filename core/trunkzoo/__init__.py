"""trunkzoo: a plugin slot for vision trunks under an unchanged robot policy."""

__version__ = "0.1.0"
