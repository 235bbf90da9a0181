"""What a project is, and the files that say so."""
