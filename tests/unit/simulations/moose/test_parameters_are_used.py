"""Every parameter that an input may set makes a difference, or is refused, or is idle by declaration.

For each type of object that the registry supports there is an example below that sets all its parameters. After the
problem is built, each of them must have been read.
"""

import pytest

from towline.simulations.moose.checking import check
from towline.simulations.moose.input_file import parse, resolve
from towline.simulations.moose.problems import InvalidInputFile
from towline.simulations.moose.registry import SUPPORTED, ObjectType, known_objects
from towline.simulations.moose.solver.blocks import refuse_unused
from towline.simulations.moose.solver.objects import Input
from towline.simulations.moose.solver.run import prepare

BASE = """
[Mesh/box]
  type = GeneratedMeshGenerator
  dim = 2
  nx = 4
  ny = 4
[]
[Variables]
  [c]
  []
  [w]
  []
  [gr0]
  []
  [gr1]
  []
[]
[AuxVariables]
  [nodal]
  []
  [elemental]
    order = CONSTANT
    family = MONOMIAL
  []
[]
[Functions]
  [f]
    type = ParsedFunction
    expression = 'x + t'
  []
  [table]
    type = PiecewiseLinear
    x = '0 1'
    y = '1 2'
  []
[]
[Materials]
  [numbers]
    type = GenericConstantMaterial
    prop_names = 'M L kappa_op mu gamma_asymm D'
    prop_values = '1 1 1 1 1.5 1'
  []
  [energy]
    type = DerivativeParsedMaterial
    property_name = F
    coupled_variables = c
    expression = 'c^2*(1-c)^2'
  []
[]
[UserObjects]
  [voronoi]
    type = PolycrystalVoronoi
    variable = 'gr0 gr1'
    grain_num = 2
    coloring_algorithm = bt
  []
[]
[Postprocessors]
  [counter]
    type = FeatureFloodCount
    variable = c
  []
  [size]
    type = TimestepSize
  []
[]
[Problem]
  kernel_coverage_check = false
[]
[Executioner]
  type = Transient
[]
"""

#: Where an object of a system stands, and what is set beside its parameters.
PLACES = {
    "Mesh": "Mesh",
    "MeshGenerators": "Mesh/box",
    "Problem": "Problem",
    "Variables": "Variables/new",
    "AuxVariables": "AuxVariables/new",
    "ICs": "ICs/new",
    "PolycrystalICs": "ICs/PolycrystalICs/{type}",
    "Kernels": "Kernels/new",
    "AuxKernels": "AuxKernels/new",
    "BCs": "BCs/new",
    "Periodic": "BCs/Periodic/new",
    "Functions": "Functions/new",
    "Materials": "Materials/new",
    "Postprocessors": "Postprocessors/new",
    "VectorPostprocessors": "VectorPostprocessors/new",
    "UserObjects": "UserObjects/new",
    "GrainGrowth": "Modules/PhaseField/GrainGrowth",
    "Conserved": "Modules/PhaseField/Conserved/new",
    "Nonconserved": "Modules/PhaseField/Nonconserved/new",
    "Executioner": "Executioner",
    "TimeSteppers": "Executioner/TimeStepper",
    "TimeIntegrators": "Executioner/TimeIntegrator",
    "Quadrature": "Executioner/Quadrature",
    "Outputs": "Outputs/new",
}
SPECIAL_PLACES = {
    ("Variables", "PolycrystalVariables"): "Variables/PolycrystalVariables",
    ("Kernels", "PolycrystalKernel"): "Kernels/PolycrystalKernel",
    ("Outputs", "CommonOutput"): "Outputs",
}

#: Values by kind, for parameters without a default.
KINDS = {
    "bool": "true", "int": "2", "float": "0.5", "floats": "0 1", "variable": "c", "variables": "gr0 gr1",
    "function": "f",
    "functions": "table", "property": "L", "properties": "L", "object": "voronoi", "postprocessors": "size",
    "boundaries": "left", "string": "gr", "strings": "a", "expression": "1", "blocks": "0",
}  # fmt: skip

#: Values by name, and by type and name where they differ.
NAMES = {
    "file_base": "files", "hide": "size", "show": "counter", "outputs": "none", "sync_times": "0.5", "block": "0",
    "op_num": "2", "var_name_base": "gr", "point": "0.5 0.5 0", "flood_counter": "counter",
    "feature_counter": "counter",
    "prop_names": "p q", "prop_values": "1 2", "constant_names": "k", "constant_expressions": "2",
    "auto_direction": "y",
    "material_property_names": "L", "symbol_names": "s", "symbol_values": "2", "xy_data": "0 1 1 2", "radii": "0.1 0.2",
    "x_positions": "0.2 0.7", "y_positions": "0.2 0.7", "z_positions": "0 0", "op_index": "1", "kappa_name": "kappa_op",
    "kappa": "kappa_op", "mobility": "M", "mob_name": "L", "free_energy": "F", "f_name": "F", "energy": "F",
    "interfacial_vars": "c", "kappa_names": "kappa_op", "additional_free_energy": "nodal", "elem_avg_value": "0.1",
    "timestep_limiting_function": "table", "time_t": "0 1", "time_dt": "0.1 0.2", "end_time": "2", "end_step": "3",
    "start_step": "0", "execute_on": "TIMESTEP_END", "additional_execute_on": "FINAL", "scheme": "bdf2",
    "threshold": "0.3", "connecting_threshold": "0.3", "numbub": "1", "bubspac": "0.1", "radius": "0.2", "axis": "x",
    "solve_type": "REVERSE_SPLIT", "elementid": "1", "initial_condition": "0.5", "v": "w", "w": "w",
    "fail_mode": "SOFT",
    "error_level": "ERROR", "dim": "3", "elem_type": "HEX8", "nz": "2",
}  # fmt: skip
OF_TYPE = {
    ("Terminator", "expression"): "size > 1",
    ("ACGrGrPoly", "v"): "gr1", ("ACGrGrPoly", "variable"): "gr0",
    ("CoupledTimeDerivative", "variable"): "w", ("CoupledTimeDerivative", "v"): "c",
    ("SplitCHWRes", "variable"): "w",
    ("BndsCalcAux", "v"): "gr0 gr1", ("GrainBoundaryArea", "v"): "gr0 gr1",
    ("PolycrystalColoringIC", "variable"): "gr1", ("PolycrystalRandomIC", "variable"): "gr1",
    ("PolycrystalVoronoi", "coloring_algorithm"): "bt",
    ("PeriodicBC", "variable"): "c w gr0 gr1",
    ("DerivativeParsedMaterial", "property_name"): "G", ("ParsedMaterial", "property_name"): "G",
    ("GBEvolution", "T"): "500",
    ("Conserved", "f_name"): "F",
    ("GrainGrowth", "var_name_base"): "eta", ("PolycrystalVariables", "var_name_base"): "eta",
    ("RandomIC", "min"): "0.1", ("FunctionDT", "growth_factor"): "2",
    ("FEProblem", "kernel_coverage_check"): "false",
}  # fmt: skip

#: Parameters that exclude each other: what is left out, example by example.
VARIANTS = {
    "PiecewiseLinear": [{"xy_data"}, {"x", "y"}],
    "PiecewiseConstant": [{"xy_data"}, {"x", "y"}],
    "GBEvolution": [{"GBMobility"}, {"GBmob0", "Q"}],
    "AverageGrainVolume": [{"feature_counter"}, {"op_num", "var_name_base", "variable", "grain_num"}],
    "Transient": [{"dt"}, set()],
}
#: Parts of the base that are in the way of an example.
WITHOUT = {
    "GeneratedMesh": ("Mesh/box",),
    "GeneratedMeshGenerator": ("Mesh/box",),
    "FEProblem": ("Problem",),
    "GBEvolution": ("Materials/numbers",),
}
#: The aux variable that an aux kernel computes.
ELEMENTAL = ("FeatureFloodCountAux", "TotalFreeEnergy", "MaterialRealAux")

SUPPORTED_TYPES = sorted(
    ((one.system, one.name) for one in known_objects().types.values() if one.support == SUPPORTED), key=str
)
#: Parents of other types in the registry, and no types of MOOSE.
PARENTS = {"SmoothCircleBase", "PiecewiseBase", "FieldPostprocessor", "OperatorVariables", "SplitCHBase"}


def value(object_type: ObjectType, name: str) -> str:
    parameter = object_type.parameters[name]
    if name == "variable" and object_type.system == "AuxKernels":
        return "elemental" if object_type.name in ELEMENTAL else "nodal"
    for found in (OF_TYPE.get((object_type.name, name)), NAMES.get(name), parameter.default):
        if found is not None:
            return found
    return parameter.options[0] if parameter.options else KINDS[parameter.kind]


def example(object_type: ObjectType, left_out: set[str]) -> tuple[str, str]:
    """Return the path and the text of an object that sets everything that is supported."""
    key = (object_type.system, object_type.name)
    path = SPECIAL_PLACES.get(key, PLACES[object_type.system]).format(type=object_type.name)
    fixed = path.endswith(object_type.name) or key in (("Outputs", "CommonOutput"), ("Mesh", "MeshGeneratorMesh"))
    fixed = fixed or object_type.name in ("MooseVariable", "PeriodicBC", "Conserved", "Nonconserved", "Quadrature")
    lines = [] if fixed else [f"type = {object_type.name}"]
    for name, parameter in object_type.parameters.items():
        if parameter.support == SUPPORTED and name not in left_out and name != "type":
            lines.append(f"{name} = '{value(object_type, name)}'")
    return path, f"[{path}]\n" + "\n".join(lines) + "\n[]\n"


def parsed(text):
    file = parse(text, "example.i")
    assert file.problems == ()
    return file.root


@pytest.mark.parametrize(("system", "name"), [one for one in SUPPORTED_TYPES if one[1] not in PARENTS])
def test_every_supported_parameter_is_read(system, name, tmp_path):
    object_type = known_objects().types[system, name]
    expected = {one.name for one in object_type.parameters.values() if one.support == SUPPORTED} - {"type"}
    seen: set[str] = set()
    for left_out in VARIANTS.get(name, [set()]):
        path, text = example(object_type, left_out)
        base = parsed(BASE)
        for unwanted in WITHOUT.get(name, ()):
            section = base.section(unwanted)
            section.parent.remove(section)
        if system == "Executioner":
            base.remove(base.section("Executioner"))
        resolved = resolve([base, parsed(text)], (), {})
        assert resolved.problems == ()
        checked = check(resolved.tree)
        assert checked.errors == ()
        prepare(Input(checked.tree), tmp_path / "case")
        section = checked.tree.section(path)
        assert section is not None
        seen |= {one.name for one in section.fields if one.used}
    assert seen >= expected, f"{system}/{name} accepts and does not use: {sorted(expected - seen)}"


def test_a_parameter_that_nobody_reads_is_refused_with_its_line():
    root = parsed("[Kernels/k]\n  type = Diffusion\n  colour = red\n[]\n")
    with pytest.raises(InvalidInputFile, match=r"example\.i:3\.3: unused parameter 'Kernels/k/colour'"):
        refuse_unused(root)
