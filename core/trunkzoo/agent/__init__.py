"""The agent: observation encoder, head, normalisers and action queue, and how a recipe becomes one."""
