[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 40
  ny = 40
  xmax = 1000
  ymax = 1000
[]
[GlobalParams]
  op_num = 8
  var_name_base = gr
  order = CONSTANT
  family = MONOMIAL
[]
[Variables/PolycrystalVariables]
  order = FIRST
  family = LAGRANGE
[]
[UserObjects]
  [voronoi]
    type = PolycrystalVoronoi
    rand_seed = 1
    grain_num = 35
    coloring_algorithm = bt
  []
  [grain_tracker]
    type = GrainTracker
    threshold = 0.5
    connecting_threshold = 0.5
    compute_halo_maps = true
    remap_grains = false
  []
[]
[ICs/PolycrystalICs/PolycrystalColoringIC]
  polycrystal_ic_uo = voronoi
[]
[AuxVariables]
  [bnds]
    order = FIRST
    family = LAGRANGE
  []
  [unique_grains]
  []
  [var_indices]
  []
  [halos]
  []
  [halo0]
  []
  [halo1]
  []
  [halo2]
  []
  [halo3]
  []
  [halo4]
  []
  [halo5]
  []
  [halo6]
  []
  [halo7]
  []
[]
[Kernels/PolycrystalKernel]
[]
[AuxKernels]
  [bnds]
    type = BndsCalcAux
    variable = bnds
  []
  [halo3]
    type = FeatureFloodCountAux
    variable = halo3
    flood_counter = grain_tracker
    field_display = HALOS
    map_index = 3
  []
[]
[BCs/Periodic/all]
  auto_direction = 'x y'
[]
[Materials/copper]
  type = GBEvolution
  T = 500
  wGB = 100
  GBmob0 = 2.5e-6
  Q = 0.23
  GBenergy = 0.708
[]
[Postprocessors/DOFs]
  type = NumDOFs
  execute_on = 'initial timestep_end'
[]
[Executioner]
  type = Transient
  num_steps = 0
[]
[Problem]
  solve = false
[]
[Outputs]
  csv = true
[]
