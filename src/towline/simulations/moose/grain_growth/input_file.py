"""The input of a case of grain growth, block by block in the order of what they need of each other."""

from towline.simulations.application import Case
from towline.simulations.moose.building import (
    add_adaptivity,
    add_mesh,
    add_outputs,
    add_periodic,
    add_preconditioner,
    add_solver,
    add_times,
    cells,
)
from towline.simulations.moose.grain_growth.resolution import reduced_time_of
from towline.simulations.moose.grain_growth.theory import boundary_of
from towline.simulations.moose.tree import Section, render

_ALWAYS = ["INITIAL", "TIMESTEP_END"]


def input_text(case: Case) -> str:
    """The input file of a case."""
    tree = Section()
    _describe(tree, case)
    add_mesh(tree, case)
    tree.add_section("GlobalParams").add("op_num", int(case.number("op_num"))).add("var_name_base", "gr")
    tree.add_section("Modules").add_section("PhaseField").add_section("GrainGrowth")
    _add_user_objects(tree, case)
    _add_initial_conditions(tree, case)
    _add_auxiliaries(tree, case)
    add_periodic(tree, case)
    _add_materials(tree, case)
    _add_postprocessors(tree)
    _add_executioner(tree, case)
    add_outputs(tree, case)
    return render(tree)


def directory_label(case: Case) -> str:
    """Dimensions, start, model, temperature, grains and cells, as AutoMOOSE names its run directories."""
    grains = f"T{case.number('T'):g}_n{case['num_grains']}"
    return f"{case['dim']}D_{case['ic_type']}_GBEvo__{grains}_{'x'.join(map(str, cells(case)))}"


def order_parameters(case: Case) -> list[str]:
    """Names of the order parameters."""
    return [f"gr{index}" for index in range(int(case.number("op_num")))]


def _describe(tree: Section, case: Case) -> None:
    found = boundary_of(case)
    tree.add_comment(f"{case['run_name']}: grain growth, {case['num_grains']} grains at {case.number('T'):g} K")
    tree.add_comment("Units: nm, ns, K, eV. Written by towline.")
    tree.add_comment(
        f"M sigma = {found.kinetic_coefficient:.5g} nm^2/ns, 1/(L mu) = {found.longest_unique_step:.4g} ns"
    )
    reduced = reduced_time_of(case)
    if reduced is not None:
        tree.add_comment(f"reduced time at the end: {reduced:.3g}")


def _add_user_objects(tree: Section, case: Case) -> None:
    objects = tree.add_section("UserObjects")
    if case["ic_type"] == "Voronoi":
        voronoi = objects.add_section("voronoi")
        voronoi.add("type", "PolycrystalVoronoi").add("grain_num", int(case.number("num_grains")))
        voronoi.add("rand_seed", int(case.number("rand_seed")))
        voronoi.add("coloring_algorithm", str(case["coloring_algorithm"]))
        voronoi.add("int_width", case.number("int_width"), comment="nm")
    tracker = objects.add_section("grain_tracker")
    tracker.add("type", "GrainTracker").add("threshold", case.number("gt_threshold"))
    tracker.add("connecting_threshold", 0.9 * case.number("gt_threshold"))
    tracker.add("compute_halo_maps", True).add("compute_var_to_feature_map", True)
    tracker.add("tracking_step", int(case.number("gt_tracking_step")))
    if case["reserve_op"]:
        tracker.add("reserve_op", int(case.number("reserve_op")))
    tracker.add("execute_on", _ALWAYS)
    if case["use_terminator"]:
        limit = int(case.number("terminator_threshold"))
        objects.add_section("few_grains").add("type", "Terminator").add("expression", f"grain_tracker < {limit}")


def _add_initial_conditions(tree: Section, case: Case) -> None:
    conditions = tree.add_section("ICs").add_section("PolycrystalICs")
    if case["ic_type"] == "Voronoi":
        conditions.add_section("PolycrystalColoringIC").add("polycrystal_ic_uo", "voronoi")
    else:
        random = conditions.add_section("PolycrystalRandomIC")
        random.add("random_type", "discrete").add("seed", int(case.number("rand_seed")))


def _add_auxiliaries(tree: Section, case: Case) -> None:
    variables = tree.add_section("AuxVariables")
    for name in ("bnds", "unique_grains", "var_indices", "f_density", "eta_max", "eta_min"):
        section = variables.add_section(name)
        if name != "bnds":
            section.add("order", "CONSTANT").add("family", "MONOMIAL")
    kernels = tree.add_section("AuxKernels")
    kernels.add_section("bnds").add("type", "BndsCalcAux").add("variable", "bnds").add("execute_on", _ALWAYS)
    for name, display in (("unique_grains", "UNIQUE_REGION"), ("var_indices", "VARIABLE_COLORING")):
        kernel = kernels.add_section(name).add("type", "FeatureFloodCountAux").add("variable", name)
        kernel.add("flood_counter", "grain_tracker").add("field_display", display).add("execute_on", _ALWAYS)
    names = order_parameters(case)
    energy = kernels.add_section("f_density").add("type", "TotalFreeEnergy").add("variable", "f_density")
    energy.add("f_name", "F").add("interfacial_vars", names)
    energy.add("kappa_names", ["kappa_op"] * len(names)).add("execute_on", _ALWAYS)
    for name, word in (("eta_max", "max"), ("eta_min", "min")):
        kernel = kernels.add_section(name).add("type", "ParsedAux").add("variable", name)
        kernel.add("coupled_variables", names).add("expression", _nested(word, names)).add("execute_on", _ALWAYS)


def _nested(word: str, names: list[str]) -> str:
    text = names[0]
    for name in names[1:]:
        text = f"{word}({text},{name})"
    return text


def _add_materials(tree: Section, case: Case) -> None:
    materials = tree.add_section("Materials")
    metal = materials.add_section("boundaries").add("type", "GBEvolution")
    metal.add("T", case.number("T"), comment="K").add("wGB", case.number("wGB"), comment="nm")
    metal.add("GBmob0", case.number("GBmob0"), comment="m^4/(J*s)").add("Q", case.number("Q"), comment="eV")
    metal.add("GBenergy", case.number("GBenergy"), comment="J/m^2")
    names = order_parameters(case)
    # Σ_{i<j} η_i² η_j² = ((Σ η²)² − Σ η⁴) / 2
    squares, fourths = ("+".join(f"{name}^{power}" for name in names) for power in (2, 4))
    energy = materials.add_section("free_energy").add("type", "ParsedMaterial")
    energy.add("property_name", "F").add("coupled_variables", names)
    energy.add("material_property_names", ["mu", "gamma_asymm"])
    energy.add("expression", f"s:={squares}; q:={fourths}; mu*(q/4-s/2+gamma_asymm*(s^2-q)/2+1/4)")


def _add_postprocessors(tree: Section) -> None:
    postprocessors = tree.add_section("Postprocessors")
    postprocessors.add_section("dt").add("type", "TimestepSize")
    postprocessors.add_section("DOFs").add("type", "NumDOFs").add("execute_on", _ALWAYS)
    postprocessors.add_section("n_elements").add("type", "NumElements").add("execute_on", _ALWAYS)
    energy = postprocessors.add_section("total_energy").add("type", "ElementIntegralVariablePostprocessor")
    energy.add("variable", "f_density").add("execute_on", _ALWAYS)
    postprocessors.add_section("gb_length").add("type", "GrainBoundaryArea").add("execute_on", _ALWAYS)
    mean = postprocessors.add_section("avg_grain_volume").add("type", "AverageGrainVolume")
    mean.add("feature_counter", "grain_tracker").add("execute_on", _ALWAYS)
    for name, word in (("eta_max", "max"), ("eta_min", "min")):
        extreme = postprocessors.add_section(name).add("type", "ElementExtremeValue")
        extreme.add("variable", name).add("value_type", word).add("execute_on", _ALWAYS)


def _add_executioner(tree: Section, case: Case) -> None:
    executioner = tree.add_section("Executioner")
    executioner.add("type", "Transient").add("scheme", str(case["scheme"])).add("solve_type", "PJFNK")
    add_preconditioner(executioner, case)
    add_solver(executioner, case)
    add_times(executioner, case, "ns")
    add_adaptivity(executioner, case)
