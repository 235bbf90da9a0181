"""The check of an input against the registry; what comes out is the tree that the solver reads.

In the checked tree deprecated names are rewritten, and what the embedded solver ignores is taken out: whatever it finds
there it has to use, or to refuse. Defaults and GlobalParams are filled in for the checks, and taken out again.
"""

from dataclasses import dataclass

from towline.simulations.moose.blocks import IGNORED_SECTIONS, Block, blocks_of
from towline.simulations.moose.consistency import check_consistency
from towline.simulations.moose.conversion import check_value
from towline.simulations.moose.problems import COMMAND_LINE, ERROR, WARNING, Position, Problem, suggestion
from towline.simulations.moose.quoting import quoted
from towline.simulations.moose.references import check_references, scope_of
from towline.simulations.moose.registry import (
    IGNORED,
    REFUSED,
    SUPPORTED,
    ObjectType,
    Parameter,
    Registry,
    known_objects,
)
from towline.simulations.moose.tree import Field, Section

_NOT_PARAMETERS = ("type", "active", "inactive")


@dataclass(frozen=True)
class CheckedInput:
    """What a solver reads, and what is wrong with the input."""

    #: Without what is ignored, in the names that are not deprecated.
    tree: Section
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that forbid to run it."""
        return tuple(one for one in self.problems if one.severity == ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that have to be told."""
        return tuple(one for one in self.problems if one.severity != ERROR)


def check(tree: Section, registry: Registry | None = None) -> CheckedInput:
    """Check a resolved tree, as :func:`towline.simulations.moose.input_file.read` gives it.

    Parameters
    ----------
    registry
        Default is what the embedded solver runs.
    """
    return _Check(tree.copy(), registry or known_objects()).run()


class _Check:
    def __init__(self, tree: Section, registry: Registry) -> None:
        self._tree = tree
        self._registry = registry
        self._problems: list[Problem] = []
        self._filled: list[tuple[Section, Field]] = []
        self._ignored: list[tuple[Section, Field | Section]] = []
        self._globals = next((one for one in tree.sections if one.name == "GlobalParams"), Section())

    def run(self) -> CheckedInput:
        blocks, self._problems = blocks_of(self._tree)
        known: list[tuple[Block, ObjectType]] = []
        for block in blocks:
            object_type = self._type_of(block)
            if object_type is not None:
                self._complete(block, object_type)
                known.append((block, object_type))
        self._check_unused()
        supported = [block for block, _ in known]
        scope = scope_of(supported)
        for block, object_type in known:
            self._problems += check_references(block, object_type.parameters.values(), scope)
        self._problems += check_consistency(supported, scope)
        for section, node in (*self._filled, *self._ignored):
            section.remove(node)
        for path in IGNORED_SECTIONS:
            ignored = self._tree.section(path)
            if ignored is not None and ignored.parent is not None:
                ignored.parent.remove(ignored)
        return CheckedInput(self._tree, tuple(sorted(self._problems, key=_place)))

    def _complain(self, text: str, position: Position, severity: str = ERROR) -> None:
        self._problems.append(Problem(text, position, severity))

    def _type_of(self, block: Block) -> ObjectType | None:
        """Return the type of an object if it is one that runs."""
        section, one = block.section, block.section.own_field("type")
        position = one.position if one is not None else section.position
        if not block.type:
            self._complain(f"missing required parameter '{section.path}/type'", position)
            return None
        found = self._registry.find(block.system, block.type)
        if found is None:
            self._complain(self._unregistered(block), position)
        elif found.support == REFUSED:
            self._complain(f"'{block.type}' is not supported by the embedded solver ('{section.path}')", position)
        elif found.support == IGNORED:
            self._complain(f"'{block.type}' is ignored by the embedded solver", position, WARNING)
            if section.parent is not None:
                self._ignored.append((section.parent, section))
        elif block.type in found.old_names and one is not None:
            self._complain(f"'{block.type}' is deprecated: it is called {found.name}", position, WARNING)
            one.text = one.raw = found.name
            return found
        else:
            return found
        return None

    def _unregistered(self, block: Block) -> str:
        elsewhere = [system for system in self._registry.systems_with(block.type) if system != block.system]
        if elsewhere:
            return f"A '{block.type}' is not a registered object of [{block.system}]; it belongs to [{elsewhere[0]}]"
        names = [one.name for one in self._registry.of_system(block.system)]
        return f"A '{block.type}' is not a registered object{suggestion(block.type, names)}"

    def _complete(self, block: Block, object_type: ObjectType) -> None:
        """Rewrite, fill in and check the parameters of one object."""
        section = block.section
        for one in section.fields:
            if one.name not in _NOT_PARAMETERS or (one.name == "type" and block.fixed):
                self._check_field(one, object_type)
        for parameter in object_type.parameters.values():
            if section.own_field(parameter.name) is None:
                self._fill(block, parameter)

    def _check_field(self, one: Field, object_type: ObjectType) -> None:
        parameter = object_type.parameter(one.name)
        if parameter is None:
            if not one.used:
                self._complain(_unused(one) + suggestion(one.name, object_type.parameters), one.position)
                self._leave_out(one)
            return
        if one.name != parameter.name:
            self._rename(one, parameter)
        self._problems += check_value(one, parameter)
        # What is refused unless it has its default has it, or the input does not run.
        if parameter.support != SUPPORTED:
            self._leave_out(one)

    def _leave_out(self, one: Field) -> None:
        """Take a field out of the tree that the solver reads."""
        if one.parent is not None:
            self._ignored.append((one.parent, one))

    def _rename(self, one: Field, parameter: Parameter) -> None:
        told = f"The parameter '{one.name}' is deprecated. Use '{parameter.name}' instead ('{one.path}')."
        self._complain(told, one.position, WARNING)
        if one.name == "output_initial":
            one.text = "INITIAL TIMESTEP_END" if one.as_bool() else "TIMESTEP_END"
            one.raw = quoted(one.text)
        if one.parent is not None:
            one.parent.rename(one, parameter.name)

    def _fill(self, block: Block, parameter: Parameter) -> None:
        """Give an object a parameter that it does not set: from GlobalParams, from its place, or the default."""
        section = block.section
        for name in (parameter.name, *parameter.old_names):
            found = self._globals.own_field(name)
            if found is not None and parameter.name != "type":
                found.used = True
                copy = found.copy()
                copy.name = parameter.name
                section.append(copy)
                self._problems += check_value(copy, parameter)
                # A solver looks into GlobalParams itself, but not for deprecated names.
                if name == parameter.name or parameter.support != SUPPORTED:
                    self._filled.append((section, copy))
                return
        if parameter.name == "variable" and section.name == "InitialCondition" and section.parent is not None:
            self._append(section, parameter.name, section.parent.name)
        elif parameter.default is not None:
            self._append(section, parameter.name, parameter.default)
        elif parameter.required:
            self._complain(f"missing required parameter '{section.path}/{parameter.name}'", section.position)

    def _append(self, section: Section, name: str, text: str) -> None:
        one = Field(name, text, quoted(text), position=Position("default"))
        section.append(one)
        self._filled.append((section, one))

    def _check_unused(self) -> None:
        """Complain about values that nobody read: at the root, and in GlobalParams."""
        for one in self._tree.fields:
            if not one.used and one.name not in _NOT_PARAMETERS:
                self._complain(
                    _unused(one) + suggestion(one.name, [two.name for two in self._tree.sections]), one.position
                )
        for one in self._globals.fields:
            if not one.used:
                # A parameter that no object of this input has, but others do, is no mistake of spelling.
                severity = WARNING if self._registry.declares(one.name) else ERROR
                self._complain(_unused(one), one.position, severity)


def _unused(one: Field) -> str:
    if one.position.file == COMMAND_LINE:
        return f"unused command line parameter '{one.path}'"
    return f"unused parameter '{one.path}'"


def _place(problem: Problem) -> tuple[str, int, int]:
    position = problem.position or Position("")
    return position.file, position.line, position.column
