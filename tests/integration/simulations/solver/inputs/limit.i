[Mesh/box]
  type = GeneratedMeshGenerator
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
[Functions]
  [one]
    type = PiecewiseLinear
    x = '0 40'
    y = '10 1'
  []
  [two]
    type = PiecewiseLinear
    x = '0 40'
    y = '2 5'
  []
[]
[BCs]
  [left]
    type = DirichletBC
    variable = u
    boundary = left
    value = 10
  []
  [right]
    type = NeumannBC
    variable = u
    boundary = right
    value = -1
  []
[]
[Postprocessors]
  [timestep_pp1]
    type = FunctionValuePostprocessor
    function = one
  []
  [timestep_pp2]
    type = FunctionValuePostprocessor
    function = two
  []
[]
[Executioner]
  type = Transient
  end_time = 40
  dtmax = 6
  [TimeStepper]
    type = IterationAdaptiveDT
    optimal_iterations = 10
    timestep_limiting_postprocessor = 'timestep_pp1 timestep_pp2'
    dt = 1
  []
[]
