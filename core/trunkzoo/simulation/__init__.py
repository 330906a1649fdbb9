"""MuJoCo scenes for task plugins: rendering without a screen, and kinematics of arms."""
