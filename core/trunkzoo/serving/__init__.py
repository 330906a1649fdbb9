"""An agent behind a socket: a control loop in another environment asks it for chunks of actions."""
