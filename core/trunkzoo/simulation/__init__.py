"""MuJoCo for task plugins: off-screen rendering and arm kinematics."""
