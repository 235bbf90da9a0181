[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = 60
  ny = 60
  xmax = 50
  ymax = 50
[]
[Variables/c]
[]
[ICs/c]
  type = MultiSmoothCircleIC
  variable = c
  invalue = 1
  outvalue = 0.0001
  radius = 4
  int_width = 2
  numbub = 35
  bubspac = 2
[]
[Kernels/diff]
  type = Diffusion
  variable = c
[]
[Postprocessors/flood_count]
  type = FeatureFloodCount
  variable = c
  compute_var_to_feature_map = true
  outputs = none
  execute_on = initial
  primary_percolation_boundaries = left
  secondary_percolation_boundaries = right
  specified_boundaries = 'left right'
[]
[VectorPostprocessors/features]
  type = FeatureVolumeVectorPostprocessor
  flood_counter = flood_count
  output_centroids = true
  execute_on = initial
[]
[Problem]
  solve = false
[]
[Executioner]
  type = Steady
[]
[Outputs]
  csv = true
  execute_on = initial
[]
