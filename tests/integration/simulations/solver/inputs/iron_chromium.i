# Iron-chromium at 500 degrees Celsius decomposes: the free energy of the public phase diagram, lengths in nm, time in s,
# energies in eV. Wavelength of the fastest mode 3.38 nm, its growth rate 1/(4516 s), interfaces of 1.03 nm (10 to 90 %).
cells = 36
length = 12 # nm
end = 604800 # seven days

[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = ${cells}
  ny = ${cells}
  xmax = ${length}
  ymax = ${length}
[]

[Variables]
  [c]
    [InitialCondition]
      type = RandomIC
      min = 0.4477
      max = 0.4877
      seed = 1
    []
  []
  [w]
  []
[]

[Kernels]
  [rate]
    type = CoupledTimeDerivative
    variable = w
    v = c
  []
  [flow]
    type = SplitCHWRes
    variable = w
    mob_name = M
  []
  [potential]
    type = SplitCHParsed
    variable = c
    w = w
    f_name = f
    kappa_name = kappa
  []
[]

[BCs/Periodic/all]
  auto_direction = 'x y'
[]

[Materials]
  [constants]
    type = GenericFunctionMaterial
    prop_names = 'kappa M'
    prop_values = '8.125e-16*6.24150934e18*1e9^2*1e-27 2.2841e-26*1e9^2/6.24150934e18/1e-27'
  []
  [energy]
    type = DerivativeParsedMaterial
    property_name = f
    coupled_variables = c
    constant_names = 'A B C D E F G unit'
    constant_expressions = '-2.446831e4 -2.827533e4 4.167994e3 7.052907e3 1.208993e4 2.568625e3 -2.354293e3
                            6.24150934e18*1e-27'
    expression = 'unit*(A*c+B*(1-c)+C*c*log(c)+D*(1-c)*log(1-c)+E*c*(1-c)+F*c*(1-c)*(2*c-1)+G*c*(1-c)*(2*c-1)^2)'
    derivative_order = 2
  []
[]

[AuxVariables/energy]
  order = CONSTANT
  family = MONOMIAL
[]
[AuxKernels/energy]
  type = TotalFreeEnergy
  variable = energy
  f_name = f
  interfacial_vars = c
  kappa_names = kappa
  execute_on = 'initial timestep_end'
[]

[Postprocessors]
  [highest]
    type = ElementExtremeValue
    variable = c
    execute_on = 'initial timestep_end'
  []
  [lowest]
    type = ElementExtremeValue
    variable = c
    value_type = min
    execute_on = 'initial timestep_end'
  []
  [total]
    type = ElementIntegralVariablePostprocessor
    variable = c
    execute_on = 'initial timestep_end'
  []
  [total_energy]
    type = ElementIntegralVariablePostprocessor
    variable = energy
    execute_on = 'initial timestep_end'
  []
  [step_size]
    type = TimestepSize
  []
  [newton]
    type = NumNonlinearIterations
  []
  [krylov]
    type = NumLinearIterations
  []
[]

[Executioner]
  type = Transient
  scheme = bdf2
  solve_type = NEWTON
  l_max_its = 60
  l_tol = 1e-3
  nl_max_its = 20
  nl_rel_tol = 1e-7
  nl_abs_tol = 1e-11
  end_time = ${end}
  dtmax = 50000
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = 100
    growth_factor = 1.3
    cutback_factor = 0.8
    optimal_iterations = 6
  []
[]

[Outputs]
  csv = true
  print_linear_residuals = false
[]
