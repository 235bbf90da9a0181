# Normal grain growth of copper in two dimensions: a Voronoi structure of twelve grains on eight order parameters.
temperature = 450 # K

[GlobalParams]
  op_num = 8
  var_name_base = gr
[]

[Mesh]
  [generated]
    type = GeneratedMeshGenerator
    dim = 2
    nx = 40
    ny = ${nx}
    xmax = 200 # nm
    ymax = ${xmax}
  []
[]

[Modules]
  [PhaseField]
    [GrainGrowth]
    []
  []
[]

[UserObjects]
  [voronoi]
    type = PolycrystalVoronoi
    grain_num = 12
    rand_seed = 8
    coloring_algorithm = bt
    int_width = 14
  []
  [tracker]
    type = GrainTracker
    threshold = 0.2
    connecting_threshold = 0.08
    compute_halo_maps = true
  []
[]

[ICs]
  [PolycrystalICs]
    [PolycrystalColoringIC]
      polycrystal_ic_uo = voronoi
    []
  []
[]

[AuxVariables]
  [unique_grains]
    order = CONSTANT
    family = MONOMIAL
  []
[]

[AuxKernels]
  [unique_grains]
    type = FeatureFloodCountAux
    variable = unique_grains
    flood_counter = tracker
    field_display = UNIQUE_REGION
    execute_on = 'initial timestep_end'
  []
[]

[BCs]
  [Periodic]
    [all]
      auto_direction = 'x y'
    []
  []
[]

[Materials]
  [copper]
    type = GBEvolution
    T = ${temperature}
    wGB = 14 # nm
    GBmob0 = 2.5e-6 # m^4/(J s), with the two below from Schoenfelder et al.
    Q = 0.23 # eV
    GBenergy = 0.708 # J/m^2
  []
[]

[Postprocessors]
  [dt]
    type = TimestepSize
  []
  [dofs]
    type = NumDOFs
  []
  [area]
    type = AverageGrainVolume
    feature_counter = tracker
    execute_on = 'initial timestep_end'
  []
[]

[Executioner]
  type = Transient
  scheme = bdf2
  solve_type = PJFNK
  nl_rel_tol = 1e-9
  nl_max_its = 20
  l_max_its = 30
  l_tol = 1e-4
  end_time = 400
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = 2 # dt L mu < 1, else a step has more than one solution
    optimal_iterations = 6
    growth_factor = 1.2
    cutback_factor = 0.75
  []
[]

[Outputs]
  csv = true
  exodus = true
[]
