[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 50
  ny = 2
  xmax = 5
[]
[Variables/u]
[]
[Kernels]
  [diff]
    type = Diffusion
    variable = u
  []
  [rate]
    type = TimeDerivative
    variable = u
  []
[]
[Postprocessors/_dt]
  type = TimestepSize
[]
[Outputs]
  csv = true
[]
[Functions/spike]
  type = PiecewiseLinear
  x = '0 1 1.1 1.2 2'
  y = '1 1 2 1 1'
[]
[BCs]
  [left]
    type = FunctionDirichletBC
    variable = u
    boundary = left
    function = spike
  []
  [right]
    type = NeumannBC
    variable = u
    boundary = right
    value = -1
  []
[]
[Executioner]
  type = Transient
  end_time = 2
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = 0.9
    optimal_iterations = 10
    timestep_limiting_function = spike
    max_function_change = 0.5
  []
[]
