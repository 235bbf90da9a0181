"""Inputs are held against the registry of what the embedded solver runs."""

# Each input stands in one line with what is said about it.
# ruff: noqa: E501

from pathlib import Path

import pytest

from towline.simulations.moose.checking import CheckedInput, check
from towline.simulations.moose.input_file import parse, read, resolve
from towline.simulations.moose.registry import known_objects, read_registry

INPUTS = Path(__file__).parent / "inputs"

BASE = """
[Mesh/box]
  type = GeneratedMeshGenerator
  dim = 2
[]
[Variables/u]
[]
[Kernels/rate]
  type = TimeDerivative
  variable = u
[]
[Executioner]
  type = Transient
[]
"""


def checked(text: str = "", *overrides: str) -> CheckedInput:
    file = parse(BASE + text, "x.i")
    assert file.problems == ()
    resolved = resolve([file.root], overrides, {})
    assert resolved.problems == ()
    return check(resolved.tree)


def errors(text: str = "", *overrides: str) -> list[str]:
    return [problem.text for problem in checked(text, *overrides).errors]


def warnings(text: str = "", *overrides: str) -> list[str]:
    return [problem.text for problem in checked(text, *overrides).warnings]


@pytest.mark.parametrize("path", sorted(INPUTS.glob("*.i")), ids=lambda path: path.name)
def test_the_inputs_of_the_tests_are_right(path: Path) -> None:
    resolved = read([path])
    assert resolved.problems == ()
    assert check(resolved.tree).errors == ()


def test_a_right_input_has_no_problems() -> None:
    assert checked().problems == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[Kernels/k]\ntype = Difusion\nvariable = u\n[]", "A 'Difusion' is not a registered object. Did you mean 'Diffusion'?"),
        (
            "[Kernels/k]\ntype = GBEvolution\nvariable = u\n[]",
            "A 'GBEvolution' is not a registered object of [Kernels]; it belongs to [Materials]",
        ),
        ("[Kernels/k]\nvariable = u\n[]", "missing required parameter 'Kernels/k/type'"),
        ("[Kernels/k]\ntype = Diffusion\n[]", "missing required parameter 'Kernels/k/variable'"),
        ("[Kernels/k]\ntype = CahnHilliard\nvariable = u\n[]", "'CahnHilliard' is not supported by the embedded solver ('Kernels/k')"),
        ("[Kernel]\n[]", "section '[Kernel]' does not have an associated \"Action\". Did you mean 'Kernels'?"),
        ("[MultiApps]\n[]", "section '[MultiApps]' is not supported by the embedded solver"),
        ("[Kernels/k]\ntype=Diffusion\nvariable=u\n[x]\n[]\n[]", "section '[Kernels/k/x]' does not have an associated \"Action\""),
        ("T = 1", "unused parameter 'T'"),
        ("[Kernels]\nfoo = 1\n[]", "unused parameter 'Kernels/foo'"),
        ("[GlobalParams]\nnonsense = 1\n[]", "unused parameter 'GlobalParams/nonsense'"),
        ("[BCs/b]\ntype=DirichletBC\nvariable=u\nboundary=lft\nvalue=1\n[]", "The boundary 'lft' of 'BCs/b' does not exist on the mesh. Did you mean 'left'?"),
        ("[BCs/b]\ntype=DirichletBC\nvariable=u\nboundary=left\nvalue=1 vale=2\n[]", "unused parameter 'BCs/b/vale'. Did you mean 'value'?"),
        ("[ICs/i]\ntype=FunctionIC\nvariable=u\nfunction=f\n[]", "Unable to find function 'f', requested by 'ICs/i'"),
        ("[ICs/i]\ntype=FunctionIC\nvariable=u\nfunction='sin(w)'\n[]", "Unable to find function 'sin(w)', requested by 'ICs/i': as an expression it may depend on x, y, z and t, not on w"),
        ("[ICs/i]\ntype=RandomIC\nvariable=u\nmin=1\nmax=1\n[]", "Min >= Max for RandomIC!"),
        ("[Kernels/k]\ntype=AllenCahn\nvariable=u\nf_name=F\nmob_name=1\n[]", "Material property 'F', requested by 'k' is not defined on block 0"),
        ("[Materials/m]\ntype=GBEvolution\nT=300\nwGB=1\nGBenergy=1\n[]", "Either a value for GBMobility or for GBmob0 and Q must be provided"),
        ("[Materials/m]\ntype=GenericConstantMaterial\nprop_names='a b'\nprop_values=1\n[]", "'Materials/m': prop_names has 2 items, prop_values has 1"),
        ("[Materials/m]\ntype=ParsedMaterial\nexpression='u+v'\ncoupled_variables=u\n[]", "unknown identifier 'v' in 'Materials/m/expression'"),
        ("[Materials/m]\ntype=ParsedMaterial\nexpression='1+'\n[]", "Invalid function in 'Materials/m/expression': expected a number, a name or '(' at character 3 of '1+', got 'the end'"),
        ("[UserObjects/a]\ntype=GrainTracker\nvariable=u\n[]\n[Postprocessors/a]\ntype=TimestepSize\n[]", "A UserObject with the name \"a\" already exists: "),
        ("[AuxVariables/u]\n[]", "Cannot have an auxiliary variable and a nonlinear variable with the same name: 'u'"),
        ("[AuxKernels/a]\ntype=ConstantAux\nvariable=u\n[]", "Unknown variable 'u', requested by 'AuxKernels/a'; [AuxKernels] needs an auxiliary variable"),
        ("[Variables/lonely]\n[]", "Each variable must be referenced by at least one active Kernel. The following variable(s) lack an active kernel: lonely"),
        ("[Postprocessors/p]\ntype=AverageGrainVolume\nfeature_counter=trcker\n[]\n[Postprocessors/tracker]\ntype=GrainTracker\nvariable=u\n[]", "Unable to find user object with name 'trcker', requested by 'Postprocessors/p'. Did you mean 'tracker'?"),
        ("[Postprocessors/p]\ntype=GrainTracker\n[]", "missing required parameter 'Postprocessors/p/variable': give it, or var_name_base and op_num"),
        ("[Postprocessors/p]\ntype=GrainTracker\nop_num=2\nvar_name_base=u\n[]", "Unknown variable 'u0', requested by 'Postprocessors/p' through var_name_base and op_num. Did you mean 'u'?"),
        ("Mesh/uniform_refine = -1", "Range check failed for parameter Mesh/uniform_refine: expected uniform_refine >= 0, got -1"),
        ("Executioner/dt = fast", "cannot convert field 'Executioner/dt' value 'fast' to float"),
        ("Executioner/scheme = bdf2\n[Executioner/TimeIntegrator]\ntype=BDF2\n[]", "You cannot specify time_scheme in the Executioner and independently add a TimeIntegrator."),
        ("Executioner/scheme = crank-nicolson", "scheme = crank-nicolson is not supported by the embedded solver ('Executioner/scheme')"),
        ("[Executioner/TimeStepper]\ntype=IterationAdaptiveDT\ndt=1\niteration_window=2\n[]", "iteration_window needs optimal_iterations"),
        ("[Executioner/TimeStepper]\ntype=IterationAdaptiveDT\ndt=1\nmax_function_change=2\n[]", "max_function_change needs timestep_limiting_function"),
        ("[Preconditioning]\n[a]\ntype=SMP\n[]\n[b]\ntype=SMP\n[]\n[]", "More than one active Preconditioner detected"),
        ("[AuxVariables/a]\norder=CONSTANT\n[]", "'AuxVariables/a': CONSTANT LAGRANGE is not supported by the embedded solver: FIRST LAGRANGE or CONSTANT MONOMIAL"),
        ("[Functions/f]\ntype=PiecewiseLinear\nx='0 2 1'\ny='1 1 1'\n[]", "'Functions/f': the points of x have to increase"),
        ("Kernels/rate/enable = false", "parameter 'Kernels/rate/enable' is not supported by the embedded solver; it can only be true"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_the_words_of_moose(text: str, complaint: str) -> None:
    found = errors(text)
    assert any(one == complaint or (complaint.endswith(": ") and one.startswith(complaint)) for one in found), found


def test_an_option_that_does_not_exist_is_told_with_those_that_do() -> None:
    (found,) = errors("Executioner/solve_type = NEWTEN")
    assert found.startswith(
        'Invalid option "NEWTEN" in MooseEnum. Valid options (not case-sensitive) are PJFNK, NEWTON,'
    )
    assert errors("Executioner/solve_type = newton") == []


def test_all_mistakes_are_told_together_and_in_their_order() -> None:
    found = checked("[Materials/x]\ntype=GBEvolution\nwGB=-1\n[]\n[Nothing]\n[]")
    lines = [one.position.line for one in found.errors if one.position is not None]
    assert len(lines) >= 4
    assert lines == sorted(lines)


def test_deprecated_names_are_rewritten_with_a_warning() -> None:
    found = checked(
        "[Materials/m]\ntype=ParsedMaterial\nf_name=G\nargs=u\nfunction='u^2'\n[]\n"
        "[Postprocessors/n]\ntype=NumElems\noutput_initial=true\n[]\n[Outputs]\ninterval=2\n[]"
    )
    material = found.tree.section("Materials/m")
    assert material is not None
    assert {one.name for one in material.fields} == {"type", "property_name", "coupled_variables", "expression"}
    assert found.tree.text("Postprocessors/n/type") == "NumElements"
    assert found.tree.text("Postprocessors/n/execute_on") == "INITIAL TIMESTEP_END"
    assert found.tree.text("Outputs/time_step_interval") == "2"
    assert found.errors == ()
    assert "The parameter 'f_name' is deprecated. Use 'property_name' instead ('Materials/m/f_name')." in [
        one.text for one in found.warnings
    ]


def test_what_is_ignored_is_told_and_taken_out() -> None:
    found = checked(
        "Executioner/petsc_options = -snes_view\nKernels/rate/use_displaced_mesh = false\n"
        "[Adaptivity]\nmarker = m\n[]\n[Outputs]\nnemesis = true\n[n]\ntype=Nemesis\n[]\n[]"
    )
    assert found.errors == ()
    assert len(found.warnings) == 4
    for path in ("Executioner/petsc_options", "Kernels/rate/use_displaced_mesh", "Outputs/nemesis"):
        assert found.tree.field(path) is None
    assert found.tree.section("Adaptivity") is None
    assert found.tree.section("Outputs/n") is None


def test_global_parameters_reach_every_object_that_declares_them() -> None:
    tracker = "[Postprocessors/p]\ntype=GrainTracker\n[]\n[Variables/gr0]\n[]\n[Kernels/k]\ntype=Diffusion\nvariable=gr0\n[]\n"
    assert errors(tracker + "[GlobalParams]\nop_num=1\nvar_name_base=gr\n[]") == []
    assert warnings("[GlobalParams]\nop_num=1\n[]") == ["unused parameter 'GlobalParams/op_num'"]
    assert errors(tracker + "[GlobalParams]\nop_num=one\nvar_name_base=gr\n[]") != []


def test_a_checked_tree_has_nothing_that_the_input_did_not_say() -> None:
    text = "[Variables/v]\n[InitialCondition]\ntype=ConstantIC\nvalue=1\n[]\n[]\n[Kernels/v]\ntype=Diffusion\nvariable=v\n[]"
    found = checked(text)
    assert found.problems == ()
    condition = found.tree.section("Variables/v/InitialCondition")
    assert condition is not None
    assert [one.name for one in condition.fields] == ["type", "value"]


def test_values_that_only_braces_use_are_used() -> None:
    assert errors("size = 3\nMesh/box/nx = ${size}") == []


def test_a_variable_needs_no_kernel_when_nothing_is_solved() -> None:
    assert errors("[Variables/lonely]\n[]\nProblem/solve = false") == []
    assert errors("[Variables/lonely]\n[]\nProblem/kernel_coverage_check = false") == []


def test_inline_functions_and_constant_properties_are_accepted() -> None:
    text = "[ICs/i]\ntype=FunctionIC\nvariable=u\nfunction='if(x < 0.5, 1, y)'\n[]\n"
    text += "[Kernels/k]\ntype=ACInterface\nvariable=u\nkappa_name=1\nmob_name=2.5\n[]"
    assert errors(text) == []


def test_an_unused_value_of_the_command_line_is_told_as_such() -> None:
    assert errors("", "Executioner/dtt=1") == ["unused command line parameter 'Executioner/dtt'. Did you mean 'dt'?"]


def test_every_object_of_the_minimum_set_is_known() -> None:
    known = known_objects()
    wanted = {
        "Kernels": "TimeDerivative ADTimeDerivative Diffusion CoefDiffusion Reaction BodyForce AllenCahn ACInterface ACGrGrPoly "
        "SplitCHParsed SplitCHMath SplitCHWRes CoupledTimeDerivative PhaseFieldCoupledDoubleWellPotential",
        "ICs": "ConstantIC FunctionIC BoundingBoxIC RampIC SmoothCircleIC SpecifiedSmoothCircleIC MultiSmoothCircleIC RandomIC",
        "Postprocessors": "FeatureFloodCount GrainTracker AverageGrainVolume GrainBoundaryArea TimestepSize NumDOFs NumNodes "
        "ElementIntegralVariablePostprocessor ElementAverageValue ElementExtremeValue ElementL2Error NodalL2Error "
        "ElementalVariableValue PointValue FunctionValuePostprocessor NumElements",
        "Materials": "GBEvolution GenericConstantMaterial GenericFunctionMaterial ParsedMaterial DerivativeParsedMaterial",
    }
    for system, names in wanted.items():
        for name in names.split():
            found = known.find(system, name)
            assert found is not None
            assert found.support == "supported"


def test_every_default_of_the_registry_is_a_value_of_its_parameter() -> None:
    for one in known_objects().types.values():
        for parameter in one.parameters.values():
            if parameter.options and parameter.default:
                assert {word.lower() for word in parameter.default.split()} <= {
                    word.lower() for word in parameter.options
                }
            if parameter.kind in ("int", "float") and parameter.default:
                float(parameter.default)


@pytest.mark.parametrize("text", ["A/b\n  c\n", "A/b < A/none\n", "  c: int\n"])
def test_a_registry_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="registry"):
        read_registry(text)
