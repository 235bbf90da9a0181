"""The queue in SQL, and the job store that lives beside it."""
