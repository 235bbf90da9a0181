[Mesh]
  type = GeneratedMesh
  dim = 3
[]
[Variables/u]
[]
[Kernels/diff]
  type = Diffusion
  variable = u
[]
[BCs/top]
  type = FunctionDirichletBC
  variable = u
  boundary = 3
  function = 1
[]
[Executioner]
  type = Transient
  end_time = 20
  nl_abs_tol = 1e-3
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = 1
    optimal_iterations = 10
    time_t = '0.0, 5.0'
    time_dt = '1.0, 5.0'
  []
[]
[Postprocessors/_dt]
  type = TimestepSize
[]
[Outputs]
  csv = true
[]
