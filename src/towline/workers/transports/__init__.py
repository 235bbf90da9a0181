"""How towline reaches the machine of a worker: this machine itself, or a host behind SSH."""
