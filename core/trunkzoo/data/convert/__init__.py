"""Other formats of demonstrations (robomimic HDF5, replay-buffer zarr) into LeRobot v3 datasets."""
