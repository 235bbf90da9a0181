# The step grows by two, is held at the points of time_t, and is cut where the function changes too much.
[Mesh/box]
  type = GeneratedMeshGenerator
  dim = 1
  nx = 2
[]

[Variables/u]
[]

[Kernels]
  [rate]
    type = TimeDerivative
    variable = u
  []
  [spread]
    type = Diffusion
    variable = u
  []
[]

[BCs]
  [fixed]
    type = DirichletBC
    variable = u
    boundary = left
    value = 0
  []
  [driven]
    type = FunctionDirichletBC
    variable = u
    boundary = right
    function = limit
  []
[]

[Functions/limit]
  type = PiecewiseLinear
  x = '0, 1.0, 2.0, 10.0'
  y = '0, 0.0, 5.0, 5.0'
[]

[Postprocessors/_dt]
  type = TimestepSize
[]

[Executioner]
  type = Transient
  end_time = 10
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = 0.9
    optimal_iterations = 10
    timestep_limiting_function = limit
    max_function_change = 0.5
    force_step_every_function_point = true
    time_t = '0.0, 5.0'
    time_dt = '1.0, 2.0'
  []
[]

[Outputs]
  csv = true
[]
