"""The input of a case of spinodal decomposition, block by block in the order of what they need of each other."""

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
from towline.simulations.moose.spinodal.resolution import growth_time
from towline.simulations.moose.spinodal.theory import IRON_CHROMIUM, mixture_of
from towline.simulations.moose.tree import Section, render

_ALWAYS = ["INITIAL", "TIMESTEP_END"]
#: Of iron-chromium, in the words of the input; they are those of the tutorial.
_KAPPA = "8.125e-16*6.24150934e+18*1e+09^2*1e-27"
_MOBILITY = "2.2841e-26*1e+09^2/6.24150934e+18/1e-27"
_ENERGY = "eV_J*d*(A*c+B*(1-c)+C*c*plog(c,1e-4)+D*(1-c)*plog(1-c,1e-4)+E*c*(1-c)+F*c*(1-c)*(2*c-1)+G*c*(1-c)*(2*c-1)^2)"


def input_text(case: Case) -> str:
    """The input file of a case."""
    tree = Section()
    _describe(tree, case)
    add_mesh(tree, case)
    variables = tree.add_section("Variables")
    for name in ("c", "w"):
        variables.add_section(name).add("order", "FIRST").add("family", "LAGRANGE")
    _add_auxiliaries(tree)
    _add_initial_condition(tree, case)
    add_periodic(tree, case)
    _add_kernels(tree)
    _add_materials(tree, case)
    _add_limit(tree, case)
    _add_postprocessors(tree, case)
    _add_executioner(tree, case)
    add_outputs(tree, case)
    return render(tree)


def directory_label(case: Case) -> str:
    """Dimensions, free energy, mean concentration and cells."""
    return f"{case['dim']}D_{case['fe_mode']}__c{case.number('c0'):g}_{'x'.join(map(str, cells(case)))}"


def limits_steps(case: Case) -> bool:
    """Whether steps are kept short while the waves grow."""
    return mixture_of(case).growth_rate(case.number("c0")) > 0


def _describe(tree: Section, case: Case) -> None:
    mixture, mean = mixture_of(case), case.number("c0")
    what = "iron-chromium at 500 C" if case["fe_mode"] == "FeCr" else "a double well"
    tree.add_comment(f"{case['run_name']}: spinodal decomposition of {what}, mean concentration {mean:g}")
    units = ", ".join(unit for unit in mixture.units if unit)
    tree.add_comment(f"Units: {units or 'none'}. Written by towline.")
    if limits_steps(case):
        wavelength, time = mixture.fastest_wavelength(mean), 1 / mixture.growth_rate(mean)
        tree.add_comment(f"fastest wavelength {wavelength:.4g}, its growth time {time:.4g}")


def _add_auxiliaries(tree: Section) -> None:
    variables, kernels = tree.add_section("AuxVariables"), tree.add_section("AuxKernels")
    for name in ("f_density", "c_squared", "w_squared"):
        variables.add_section(name).add("order", "CONSTANT").add("family", "MONOMIAL")
    energy = kernels.add_section("f_density").add("type", "TotalFreeEnergy").add("variable", "f_density")
    energy.add("f_name", "f_loc").add("interfacial_vars", "c").add("kappa_names", "kappa_c").add("execute_on", _ALWAYS)
    for name in ("c", "w"):
        square = kernels.add_section(f"{name}_squared").add("type", "ParsedAux").add("variable", f"{name}_squared")
        square.add("coupled_variables", name).add("expression", f"{name}^2").add("execute_on", _ALWAYS)


def _add_initial_condition(tree: Section, case: Case) -> None:
    mean, noise = case.number("c0"), case.number("noise")
    condition = tree.add_section("ICs").add_section("noise").add("type", "RandomIC").add("variable", "c")
    condition.add("min", max(0.0, mean - noise)).add("max", min(1.0, mean + noise))
    condition.add("seed", int(case.number("rand_seed")))


def _add_kernels(tree: Section) -> None:
    kernels = tree.add_section("Kernels")
    kernels.add_section("c_rate").add("type", "CoupledTimeDerivative").add("variable", "w").add("v", "c")
    kernels.add_section("flow").add("type", "SplitCHWRes").add("variable", "w").add("mob_name", "M")
    potential = kernels.add_section("potential").add("type", "SplitCHParsed").add("variable", "c")
    potential.add("f_name", "f_loc").add("kappa_name", "kappa_c").add("w", "w")


def _add_materials(tree: Section, case: Case) -> None:
    materials = tree.add_section("Materials")
    iron_chromium = case["fe_mode"] == "FeCr"
    constants = materials.add_section("constants")
    if iron_chromium:
        constants.add("type", "GenericFunctionMaterial").add("prop_names", ["kappa_c", "M"])
        constants.add("prop_values", [_KAPPA, _MOBILITY])
    else:
        constants.add("type", "GenericConstantMaterial").add("prop_names", ["kappa_c", "M"])
        constants.add("prop_values", [case.number("kappa"), case.number("M")])
    energy = materials.add_section("free_energy").add("type", "DerivativeParsedMaterial")
    energy.add("property_name", "f_loc").add("coupled_variables", "c")
    if iron_chromium:
        energy.add("constant_names", [*"ABCDEFG", "eV_J", "d"])
        energy.add("constant_expressions", [f"{one:.6e}" for one in IRON_CHROMIUM] + ["6.24150934e+18", "1e-27"])
        energy.add("expression", _ENERGY)
    else:
        energy.add("constant_names", "W").add("constant_expressions", case.number("W"))
        energy.add("expression", "W*c^2*(1-c)^2")
    energy.add("derivative_order", 2)


def _add_limit(tree: Section, case: Case) -> None:
    """A function whose changes keep the steps short while the waves grow; without instability nothing grows."""
    if limits_steps(case):
        end = growth_time(mixture_of(case).growth_rate(case.number("c0")))
        limit = tree.add_section("Functions").add_section("step_count").add("type", "PiecewiseLinear")
        limit.add("x", [0.0, float(f"{end:.6g}")]).add("y", [0.0, case.number("growth_steps")])


def _add_postprocessors(tree: Section, case: Case) -> None:
    postprocessors = tree.add_section("Postprocessors")
    postprocessors.add_section("dt").add("type", "TimestepSize")
    for name, kind, variable in (
        ("total_c", "ElementIntegralVariablePostprocessor", "c"),
        ("total_energy", "ElementIntegralVariablePostprocessor", "f_density"),
        ("c_average", "ElementAverageValue", "c"),
        ("c_squared", "ElementAverageValue", "c_squared"),
        ("w_average", "ElementAverageValue", "w"),
        ("w_squared", "ElementAverageValue", "w_squared"),
    ):
        section = postprocessors.add_section(name).add("type", kind).add("variable", variable)
        section.add("execute_on", _ALWAYS)
    for word in ("max", "min"):
        extreme = postprocessors.add_section(f"c_{word}").add("type", "ElementExtremeValue").add("variable", "c")
        extreme.add("value_type", word).add("execute_on", _ALWAYS)
    for name, above in (("num_features", True), ("num_features_low", False)):
        count = postprocessors.add_section(name).add("type", "FeatureFloodCount").add("variable", "c")
        count.add("threshold", case.number("feature_threshold"))
        count.add("use_less_than_threshold_comparison", above).add("execute_on", _ALWAYS)
    low, high = mixture_of(case).binodal
    length = postprocessors.add_section("interface_length").add("type", "GrainBoundaryArea").add("v", "c")
    length.add("grains_per_side", 1).add("op_range", float(f"{high - low:.8g}")).add("execute_on", _ALWAYS)


def _add_executioner(tree: Section, case: Case) -> None:
    tree.add_section("Preconditioning").add_section("coupled").add("type", "SMP").add("full", True)
    executioner = tree.add_section("Executioner")
    executioner.add("type", "Transient").add("scheme", "implicit-euler").add("solve_type", "NEWTON")
    add_preconditioner(executioner, case)
    add_solver(executioner, case)
    stepper = add_times(executioner, case, "s" if case["fe_mode"] == "FeCr" else "")
    if limits_steps(case):
        stepper.add("timestep_limiting_function", "step_count").add("max_function_change", 1)
    add_adaptivity(executioner, case)
