"""Which sections of an input are objects, and of which system and type."""

from collections.abc import Iterator
from dataclasses import dataclass

from towline.simulations.moose.problems import WARNING, Problem, suggestion
from towline.simulations.moose.tree import Section

#: (pattern of the path, system, the type that is meant without a field ``type``). A system of None: a section that only
#: holds others. The first pattern that fits is taken.
_SHAPES: tuple[tuple[str, str | None, str | None], ...] = (
    ("Mesh", "Mesh", "MeshGeneratorMesh"),
    ("Mesh/*", "MeshGenerators", None),
    ("Problem", "Problem", "FEProblem"),
    ("Variables", None, None),
    ("Variables/PolycrystalVariables", "Variables", "PolycrystalVariables"),
    ("Variables/*", "Variables", "MooseVariable"),
    ("Variables/*/InitialCondition", "ICs", None),
    ("AuxVariables", None, None),
    ("AuxVariables/*", "AuxVariables", "MooseVariable"),
    ("AuxVariables/*/InitialCondition", "ICs", None),
    ("Kernels", None, None),
    ("Kernels/PolycrystalKernel", "Kernels", "PolycrystalKernel"),
    ("Kernels/*", "Kernels", None),
    ("AuxKernels", None, None),
    ("AuxKernels/*", "AuxKernels", None),
    ("BCs", None, None),
    ("BCs/Periodic", None, None),
    ("BCs/Periodic/*", "Periodic", "PeriodicBC"),
    ("BCs/*", "BCs", None),
    ("ICs", None, None),
    ("ICs/PolycrystalICs", None, None),
    ("ICs/PolycrystalICs/*", "PolycrystalICs", "*"),
    ("ICs/*", "ICs", None),
    ("Functions", None, None),
    ("Functions/*", "Functions", None),
    ("Materials", None, None),
    ("Materials/*", "Materials", None),
    ("Postprocessors", None, None),
    ("Postprocessors/*", "Postprocessors", None),
    ("VectorPostprocessors", None, None),
    ("VectorPostprocessors/*", "VectorPostprocessors", None),
    ("UserObjects", None, None),
    ("UserObjects/*", "UserObjects", None),
    ("Modules", None, None),
    ("Modules/PhaseField", None, None),
    ("Modules/PhaseField/GrainGrowth", "GrainGrowth", "GrainGrowth"),
    ("Modules/PhaseField/Conserved", None, None),
    ("Modules/PhaseField/Conserved/*", "Conserved", "Conserved"),
    ("Modules/PhaseField/Nonconserved", None, None),
    ("Modules/PhaseField/Nonconserved/*", "Nonconserved", "Nonconserved"),
    ("Executioner", "Executioner", None),
    ("Executioner/TimeStepper", "TimeSteppers", None),
    ("Executioner/TimeIntegrator", "TimeIntegrators", None),
    ("Executioner/Quadrature", "Quadrature", "Quadrature"),
    ("Outputs", "Outputs", "CommonOutput"),
    ("Outputs/*", "Outputs", None),
)

#: Sections that change how a run is carried out, not what it computes.
IGNORED_SECTIONS = {
    "Adaptivity": "the mesh stays as it is; Mesh/uniform_refine makes it finer everywhere",
    "Executioner/Adaptivity": "the mesh stays as it is; Mesh/uniform_refine makes it finer everywhere",
    "Preconditioning": "the embedded solver has its own preconditioner",
    "Debug": "there is nothing to debug in this way",
}

#: Systems of MOOSE without which an input means something else.
_REFUSED = frozenset(
    [
        "Bounds",
        "Constraints",
        "Contact",
        "Controls",
        "Correctors",
        "DGKernels",
        "Dampers",
        "DiracKernels",
        "Distributions",
        "FVBCs",
        "FVICs",
        "FVKernels",
        "InterfaceKernels",
        "Likelihood",
        "MultiApps",
        "NodalKernels",
        "NodalNormals",
        "Physics",
        "Positions",
        "Reporters",
        "Samplers",
        "ScalarKernels",
        "AuxScalarKernels",
        "Split",
        "Surrogates",
        "ThermalContact",
        "Times",
        "Trainers",
        "Transfers",
        "XFEM",
        "Modules/PhaseField/GrainGrowthLinearizedInterface",
        "Modules/PhaseField/EulerAngles2RGB",
        "Modules/PhaseField/MortarPeriodicity",
        "Modules/PhaseField/DisplacementGradients",
        "Modules/PhaseField/GrandPotential",
        "Modules/TensorMechanics",
        "Modules/HeatConduction",
        "Modules/NavierStokes",
        "Executioner/TimeSteppers",
        "Executioner/Predictor",
    ]
)


@dataclass(frozen=True, slots=True)
class Block:
    """A section that is an object."""

    section: Section
    system: str
    #: Empty if it has to be said and is not.
    type: str
    #: Whether it is an object of a type that its place gives it, so that a field ``type`` would be one too many.
    fixed: bool

    @property
    def name(self) -> str:
        """The name of the object."""
        return self.section.name

    def text(self, name: str, default: str = "") -> str:
        """Return the text of a parameter."""
        return self.section.text(name, default)


def blocks_of(tree: Section) -> tuple[list[Block], list[Problem]]:
    """Find the objects of a tree, and the sections that nobody knows or that are not supported."""
    blocks: list[Block] = []
    problems: list[Problem] = []
    for section in tree.sections:
        _visit(section, blocks, problems)
    return blocks, problems


def _visit(section: Section, blocks: list[Block], problems: list[Problem]) -> None:
    path = section.path
    if path == "GlobalParams":
        return
    if path in IGNORED_SECTIONS:
        problems += _ignored(section)
        return
    shape = next((one for one in _SHAPES if _fits(one[0], path)), None)
    if shape is None or path in _REFUSED:
        problems.append(_unknown(section))
        return
    _, system, default_type = shape
    if system is not None:
        blocks.append(_block(section, system, default_type))
    else:
        problems += [
            Problem(f"unused parameter '{one.path}'", one.position)
            for one in section.fields
            if not one.used and one.name not in ("active", "inactive")
        ]
    for below in section.sections:
        _visit(below, blocks, problems)


def _fits(pattern: str, path: str) -> bool:
    wanted, names = pattern.split("/"), path.split("/")
    return len(wanted) == len(names) and all(one in ("*", name) for one, name in zip(wanted, names, strict=True))


def _block(section: Section, system: str, default_type: str | None) -> Block:
    if default_type == "*":
        return Block(section, system, section.name, fixed=True)
    fixed = default_type is not None and default_type not in ("MeshGeneratorMesh", "FEProblem")
    # The mesh of a block without type comes from its generators; without those it would be read from a file.
    if default_type == "MeshGeneratorMesh" and not section.sections:
        default_type = "FileMesh"
    return Block(section, system, (default_type or "") if fixed else section.type or default_type or "", fixed)


def _ignored(section: Section) -> Iterator[Problem]:
    if section.name == "Preconditioning" and len(section.sections) > 1:
        yield Problem("More than one active Preconditioner detected", section.position)
    text = f"section '[{section.path}]' is ignored by the embedded solver: {IGNORED_SECTIONS[section.path]}"
    yield Problem(text, section.position, WARNING)


def _unknown(section: Section) -> Problem:
    path = section.path
    if path in _REFUSED:
        return Problem(f"section '[{path}]' is not supported by the embedded solver", section.position)
    above = path.rpartition("/")[0]
    known = [one[0].rpartition("/")[2] for one in _SHAPES if one[0].rpartition("/")[0] == above]
    hint = suggestion(section.name, [name for name in known if name != "*"])
    return Problem(f"section '[{path}]' does not have an associated \"Action\"{hint}", section.position)
