# Spinodal decomposition in a double well, W = 16 and kappa = 1 in reduced units, from random noise around 1/2.
[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 32
  ny = 32
  xmax = 64
  ymax = 64
[]

[Variables]
  [./c]
    [./InitialCondition]
      type = RandomIC
      min = 0.45
      max = 0.55
      seed = 3
    [../]
  [../]
  [./w]
  [../]
[]

[Kernels]
  [./c_dot]
    type = CoupledTimeDerivative
    variable = w
    v = c
  [../]
  [./w_res]
    type = SplitCHWRes
    variable = w
    mob_name = M
  [../]
  [./c_res]
    type = SplitCHParsed
    variable = c
    w = w
    f_name = F
    kappa_name = kappa_c
  [../]
[]

[BCs/Periodic/all]
  auto_direction = 'x y'
[]

[Materials]
  [./constants]
    type = GenericConstantMaterial
    prop_names = 'M kappa_c'
    prop_values = '1 1'
  [../]
  [./free_energy]
    type = DerivativeParsedMaterial
    f_name = F # the names of older inputs
    args = c
    constant_names = W
    constant_expressions = 4^2
    function = 'W*c^2*(1-c)^2'
  [../]
[]

[AuxVariables]
  [./energy_density]
    order = CONSTANT
    family = MONOMIAL
  [../]
[]

[AuxKernels]
  [./energy_density]
    type = TotalFreeEnergy
    variable = energy_density
    f_name = F
    interfacial_vars = c
    kappa_names = kappa_c
    execute_on = 'initial timestep_end'
  [../]
[]

[Postprocessors]
  [./energy]
    type = ElementIntegralVariablePostprocessor
    variable = energy_density
    execute_on = 'initial timestep_end'
  [../]
  [./mass]
    type = ElementAverageValue
    variable = c
    execute_on = 'initial timestep_end'
  [../]
[]

[Preconditioning]
  [./coupled]
    type = SMP
    full = true
  [../]
[]

[Executioner]
  type = Transient
  solve_type = NEWTON
  petsc_options_iname = '-pc_type'
  petsc_options_value = 'lu'
  num_steps = 40
  dt = 0.01 # below 4 kappa/(M max(-f'')^2) = 1/64, else a step has more than one solution
[]

[Outputs]
  csv = true
[]
