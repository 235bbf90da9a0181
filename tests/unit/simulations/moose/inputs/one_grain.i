# One grain that fills the box; nothing is solved, the tracker counts it at the beginning and after each step.
[Mesh]
  [box]
    type = GeneratedMeshGenerator
    dim = 2
    nx = 10
    ny = 10
  []
[]

[Problem]
  solve = false
[]

[Variables]
  [gr0]
    initial_condition = 1
  []
[]

[Postprocessors]
  [grain_tracker]
    type = GrainTracker
    variable = gr0
    threshold = 0.5
    connecting_threshold = 0.5
  []
[]

[Executioner]
  type = Transient
  num_steps = 2
[]

[Outputs]
  csv = true
[]
