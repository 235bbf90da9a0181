"""The embedded solver: finite elements on uniform meshes for the phase-field subset of MOOSE inputs."""
