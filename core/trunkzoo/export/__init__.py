"""Agents as graphs that run without trunkzoo: written, held against the agent, and acting again. Import the modules."""
