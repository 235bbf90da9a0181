"""Code that runs on the worker's side: one job, the warm pilot, its keeper. No database, no settings, light imports."""
