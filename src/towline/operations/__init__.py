"""What a user can ask for, one function each; interfaces reach everything else only through here."""
