# Grain growth in copper: boundaries of GBEvolution, Voronoi grains, periodic. Lengths in nm, time in ns, energies in eV.
# All lengths follow from the number of grains, all times from the temperature, so that every run covers the same part of
# the growth: in units of 1/(L mu) for the steps, and of <R0>^2/(M sigma) for the end.
T = 600 # K
grains = 100
side = 707 # nm
width = 11.4 # nm: <R0>/3.5
cells = 186 # three per width
reduced_time = 4 # M sigma t / <R0>^2
largest_step = 4 # in 1/(L mu)
seed = 1
mobility = ${fparse 2.5e-6*1e-9/(6.24150974e18*1e-36)*exp(-0.23/(8.617343e-5*T))} # nm^4/(eV ns)
energy = ${fparse 0.708*6.24150974e18*1e-18} # eV/nm^2
unit = ${fparse width^2/(8*mobility*energy)} # ns: 1/(L mu)

[Mesh]
  type = GeneratedMesh
  dim = 2
  nx = ${cells}
  ny = ${cells}
  xmax = ${side}
  ymax = ${side}
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
    grain_num = ${grains}
    rand_seed = ${seed}
    int_width = ${width}
  []
  [tracker]
    type = GrainTracker
  []
[]

[ICs/PolycrystalICs/PolycrystalColoringIC]
  polycrystal_ic_uo = voronoi
[]

[BCs/Periodic/all]
  auto_direction = 'x y'
[]

[Materials]
  [copper]
    type = GBEvolution
    T = ${T}
    wGB = ${width}
    GBmob0 = 2.5e-6
    Q = 0.23
    GBenergy = 0.708
  []
[]

[Postprocessors]
  [area]
    type = GrainBoundaryArea
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
  solve_type = PJFNK
  nl_rel_tol = 1e-6
  nl_abs_tol = 1e-8
  l_tol = 1e-2
  nl_max_its = 20
  end_time = ${fparse reduced_time*side^2/(pi*grains)/(mobility*energy)}
  dtmax = ${fparse largest_step*unit}
  [TimeStepper]
    type = IterationAdaptiveDT
    dt = ${fparse 0.5*unit}
    growth_factor = 1.2
    cutback_factor = 0.5
    optimal_iterations = 8
  []
[]

[Outputs]
  csv = true
  print_linear_residuals = false
[]
