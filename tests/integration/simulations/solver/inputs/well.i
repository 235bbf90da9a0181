[Mesh/line]
  type = GeneratedMeshGenerator
  dim = 1
[]
[Variables/u]
  initial_condition = 0.9
[]
[Kernels]
  [rate]
    type = ADTimeDerivative
    variable = u
  []
  [well]
    type = PhaseFieldCoupledDoubleWellPotential
    variable = u
    c = u
    prefactor = -1
  []
[]
[Functions/exact]
  type = ParsedFunction
  expression = '(1/(1+e^(2*(t-0.825))))^0.5'
[]
[Postprocessors]
  [simu_value]
    type = ElementalVariableValue
    variable = u
    elementid = 0
  []
  [theory_value]
    type = FunctionValuePostprocessor
    function = exact
  []
  [error]
    type = ElementL2Error
    variable = u
    function = exact
  []
[]
[Executioner]
  type = Transient
  start_time = 0.1
  end_time = 0.102
  dt = 1e-4
  solve_type = NEWTON
[]
[Outputs/csv]
  type = CSV
[]
