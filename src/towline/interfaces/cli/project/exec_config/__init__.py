"""`tow project exec_config`."""
