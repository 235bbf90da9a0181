"""The process that moves jobs from state to state."""
