"""Files that survive kills, locks, processes, devices, signals, versions and progress bars."""
