"""What the operating system gives: files that survive kills, locks, processes, devices, signals, progress bars."""
