"""MOOSE phase-field simulations: the input language, its registry, the readers of outputs, and the embedded solver."""
