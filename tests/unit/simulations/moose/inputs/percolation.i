# Circles at random places: which of them touch left and right?
[Mesh]
  [box]
    type = GeneratedMeshGenerator
    dim = 2
    nx = 50
    ny = 50
    xmax = 50
    ymax = 50
  []
[]

[Variables/c]
[]

[ICs/circles]
  type = MultiSmoothCircleIC
  variable = c
  numbub = 9
  bubspac = 2
  radius = 7
  radius_variation = 2
  radius_variation_type = uniform
  invalue = 1
  outvalue = 0
  int_width = 2
[]

[Problem]
  solve = false
  kernel_coverage_check = false
[]

[Postprocessors/counter]
  type = FeatureFloodCount
  variable = c
  threshold = 0.5
  compute_var_to_feature_map = true
  primary_percolation_boundaries = left
  secondary_percolation_boundaries = right
  specified_boundaries = 'top bottom'
  execute_on = initial
[]

[VectorPostprocessors/features]
  type = FeatureVolumeVectorPostprocessor
  flood_counter = counter
  output_centroids = true
  execute_on = initial
[]

[Executioner]
  type = Steady
[]

[Outputs]
  csv = true
[]
