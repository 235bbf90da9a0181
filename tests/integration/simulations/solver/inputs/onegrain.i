[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 10
  ny = 10
[]
[Variables/gr0]
  initial_condition = 1
[]
[Postprocessors/grain_tracker]
  type = GrainTracker
  variable = gr0
[]
[Problem]
  solve = false
  kernel_coverage_check = false
[]
[Executioner]
  type = Transient
  num_steps = 2
[]
[Outputs]
  csv = true
[]
