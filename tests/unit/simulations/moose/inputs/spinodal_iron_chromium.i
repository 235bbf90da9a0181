# Iron-chromium at 500 degrees Celsius: a free energy of six constants, lengths in nm, energies in eV.
scale = 1e-27 # eV/J times (nm/m)^3, rounded away below
eV_J = 6.24150934e+18
d = 1e-27

[Mesh]
  [box]
    type = GeneratedMeshGenerator
    dim = 2
    nx = 25
    ny = 25
    xmax = 25
    ymax = 25
  []
  uniform_refine = 1
[]

[Modules/PhaseField/Conserved/c]
  free_energy = f_loc
  mobility = M
  kappa = kappa_c
  solve_type = REVERSE_SPLIT
[]

[ICs]
  [noise]
    type = RandomIC
    variable = c
    min = 0.44774
    max = 0.48774
    seed = 210
  []
[]

[BCs]
  [Periodic]
    [c_bcs]
      auto_direction = 'x y'
    []
  []
[]

[Materials]
  [kappa]
    type = GenericFunctionMaterial
    prop_names = 'kappa_c'
    prop_values = '8.125e-16*6.24150934e+18*1e+09^2*1e-27'
  []
  [mobility]
    type = DerivativeParsedMaterial
    property_name = M
    coupled_variables = c
    constant_names = 'Acr Bcr Ccr Dcr Ecr Fcr Gcr Afe Bfe Cfe Dfe Efe Ffe Gfe nm_m eV_J d'
    constant_expressions = '-32.770969 -25.8186669 -3.29612744 17.669757 37.6197853 20.6941796 10.8095813
                            -31.687117 -26.0291774 0.2286581 24.3633544 44.3334237 8.72990497 20.956768
                            1e+09 ${eV_J} ${d}'
    expression = 'nm_m^2/eV_J/d*((1-c)^2*c*10^
                  (Acr*c+Bcr*(1-c)+Ccr*c*log(c)+Dcr*(1-c)*log(1-c)+Ecr*c*(1-c)+Fcr*c*(1-c)*(2*c-1)+Gcr*c*(1-c)*(2*c-1)^2)
                  +c^2*(1-c)*10^
                  (Afe*c+Bfe*(1-c)+Cfe*c*log(c)+Dfe*(1-c)*log(1-c)+Efe*c*(1-c)+Ffe*c*(1-c)*(2*c-1)+Gfe*c*(1-c)*(2*c-1)^2))'
    derivative_order = 1
  []
  [local_energy]
    type = DerivativeParsedMaterial
    property_name = f_loc
    coupled_variables = c
    constant_names = 'A B C D E F G eV_J d'
    constant_expressions = '-2.446831e+04 -2.827533e+04 4.167994e+03 7.052907e+03
                            1.208993e+04 2.568625e+03 -2.354293e+03 ${eV_J} ${d}'
    expression = 'eV_J*d*(A*c+B*(1-c)+C*c*log(c)+D*(1-c)*log(1-c)+E*c*(1-c)+F*c*(1-c)*(2*c-1)+G*c*(1-c)*(2*c-1)^2)'
    derivative_order = 2
  []
[]

[Postprocessors]
  [scale]
    type = FunctionValuePostprocessor
    function = ${scale}
  []
[]

[Executioner]
  type = Transient
  solve_type = NEWTON
  l_max_its = 30
  l_tol = 1e-6
  nl_max_its = 50
  nl_abs_tol = 1e-9
  end_time = 604800 # seven days
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = 10
    cutback_factor = 0.8
    growth_factor = 1.5
    optimal_iterations = 7
  []
  [Adaptivity]
    coarsen_fraction = 0.1
    refine_fraction = 0.7
    max_h_level = 2
  []
[]

[Debug]
  show_var_residual_norms = true
[]

[Outputs]
  exodus = true
  csv = true
  perf_graph = true
[]
