"""Agents and datasets as folders for the hub: their files as they are, and a card of what is known."""
