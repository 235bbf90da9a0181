"""The command `tow`: a file for each command, loaded when it is used."""
