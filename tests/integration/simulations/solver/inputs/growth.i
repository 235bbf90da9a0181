[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 40
  ny = 40
  xmax = 1000
  ymax = 1000
  uniform_refine = 1
[]
[GlobalParams]
  op_num = 8
  var_name_base = gr
[]
[Modules/PhaseField/GrainGrowth]
[]
[UserObjects]
  [voronoi]
    type = PolycrystalVoronoi
    grain_num = 20
    rand_seed = 42
    int_width = 14
  []
  [grain_tracker]
    type = GrainTracker
  []
[]
[ICs/PolycrystalICs/PolycrystalColoringIC]
  polycrystal_ic_uo = voronoi
[]
[AuxVariables/unique]
  order = CONSTANT
  family = MONOMIAL
[]
[AuxKernels/unique]
  type = FeatureFloodCountAux
  variable = unique
  flood_counter = grain_tracker
[]
[BCs/Periodic/all]
  auto_direction = 'x y'
[]
[Materials/cu]
  type = GBEvolution
  T = 450
  wGB = 30
  GBmob0 = 2.5e-6
  Q = 0.23
  GBenergy = 0.708
[]
[Postprocessors]
  [dt]
    type = TimestepSize
  []
  [area]
    type = GrainBoundaryArea
    execute_on = 'initial timestep_end'
  []
[]
[Executioner]
  type = Transient
  scheme = bdf2
  end_time = 500
  nl_rel_tol = 1e-8
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = 2
    growth_factor = 1.2
    optimal_iterations = 8
  []
[]
[Outputs]
  csv = true
  exodus = true
[]
