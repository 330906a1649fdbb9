"""LeRobot v3 datasets at rest: their layout, tables, images and videos, read and written."""
