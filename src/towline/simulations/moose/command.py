"""``towline-phasefield``: what ``phase_field-opt`` is for MOOSE, for the inputs that the embedded solver runs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from towline.errors import TowlineError
from towline.simulations.moose import checking, input_file
from towline.simulations.moose.problems import ERROR, INFORMATION, WARNING, InvalidInputFile, Problem, raise_errors
from towline.simulations.moose.tree import Section, render

USAGE = """\
Usage: towline-phasefield -i FILE [FILE ...] [OPTION ...] [Block/sub/parameter=value ...]

Run a MOOSE phase-field input on the embedded solver of towline, or only check it.

  -i FILE ...             input files; later ones win over earlier ones
  --check-input           check the input, print "Syntax OK" and end
  --mesh-only             write the mesh to FILE_in.e and end
  --show-input            print the input with includes, overrides and ${...} carried out, before anything else
  -w, --allow-unused      parameters that nobody uses are warnings
  -e, --error-unused      they are errors (default)
  --recover [CHECKPOINT]  go on from a checkpoint, such as FILE_out_cp/0042, or from the newest one
  -r N                    refine the mesh N times more
  --no-color, --n-threads=N, -pc_type lu, ...
                          are accepted, and change nothing here
  --version, --help

Block/sub/parameter=value replaces a value of the input, as the shell gives it.
Exit codes: 0 the run, or the check, ended well; 1 the input is wrong or a step failed; 2 wrong usage.
"""

#: Options that mean nothing here; those of the second group are followed by a value.
_WITHOUT_MEANING = frozenset(["--no-color", "--color", "--no-trap-fpe", "--trap-fpe", "--timing", "--keep-cout"])
_WITH_VALUE = frozenset(["--n-threads", "--color", "--distributed-mesh", "--parallel-mesh"])
_SWITCHES = {
    "--check-input": "check_only",
    "--mesh-only": "mesh_only",
    "--show-input": "show_input",
    "--allow-unused": "allow_unused",
    "-w": "allow_unused",
    "--help": "help",
    "-h": "help",
    "--version": "version",
    "-v": "version",
}


class WrongUsage(TowlineError):
    """The command line cannot be understood."""


@dataclass(frozen=True)
class Arguments:
    """What the command line asks for."""

    files: tuple[Path, ...] = ()
    overrides: tuple[str, ...] = ()
    check_only: bool = False
    mesh_only: bool = False
    show_input: bool = False
    allow_unused: bool = False
    help: bool = False
    version: bool = False
    recover: bool = False
    #: None is the newest one.
    checkpoint: Path | None = None
    #: Additional uniform refinements.
    refinements: int = 0
    #: Options without a meaning for the embedded solver.
    ignored: tuple[str, ...] = field(default=())


def run() -> None:
    """Carry out the command line of this process and end it."""
    sys.exit(main(sys.argv[1:]))


def main(words: Sequence[str]) -> int:
    """Carry out a command line and return the exit code."""
    try:
        arguments = read_arguments(words)
    except WrongUsage as error:
        print(f"towline-phasefield: {error}", file=sys.stderr)
        return 2
    if arguments.help or arguments.version:
        print(USAGE if arguments.help else f"towline-phasefield {version('towline')} (embedded solver)", end="\n")
        return 0
    try:
        return _carry_out(arguments)
    except InvalidInputFile as error:
        _report(error.problems)
    except TowlineError as error:
        _report((Problem(str(error)),))
    return 1


def read_arguments(words: Sequence[str]) -> Arguments:
    """Read a command line in the manner of MOOSE.

    Raises
    ------
    WrongUsage
        An option is unknown or lacks its value, or there is no input.
    """
    found = Arguments()
    rest = _Words(words)
    for word in rest:
        found = _with_word(found, word, rest)
    if not found.files and not found.help and not found.version:
        raise WrongUsage("no input; type towline-phasefield -i FILE, or --help")
    return found


class _Words:
    """Words of a command line, of which some belong to the one before."""

    def __init__(self, words: Sequence[str]) -> None:
        self._left = list(words)

    def __iter__(self) -> Iterator[str]:
        while self._left:
            yield self._left.pop(0)

    def take(self, fits: Callable[[str], bool]) -> str | None:
        """Return the next word and leave it out of what follows, if it fits."""
        return self._left.pop(0) if self._left and fits(self._left[0]) else None


def _with_switch(found: Arguments, name: str) -> Arguments:
    changes: dict[str, Any] = {name: True}
    return replace(found, **changes)


def _is_value(word: str) -> bool:
    return not word.startswith("-") and "=" not in word


def _with_word(found: Arguments, word: str, rest: _Words) -> Arguments:
    if word == "-i":
        return replace(found, files=(*found.files, *_files(rest)))
    if word in _SWITCHES:
        return _with_switch(found, _SWITCHES[word])
    if word in ("-e", "--error-unused"):
        return replace(found, allow_unused=False)
    if word == "--recover":
        named = rest.take(_is_value)
        return replace(found, recover=True, checkpoint=None if named is None else Path(named))
    if word == "-r":
        count = rest.take(_is_value) or ""
        if not count.isdigit() or int(count) > 20:
            raise WrongUsage(f"-r needs a number of refinements from 0 to 20, got '{count}'")
        return replace(found, refinements=int(count))
    if word.startswith("-"):
        return _with_option(found, word, rest)
    if "=" not in word:
        raise WrongUsage(f"'{word}' is neither an option nor Block/sub/parameter=value; files come after -i")
    return replace(found, overrides=(*found.overrides, word))


def _files(rest: _Words) -> Iterator[Path]:
    first = rest.take(lambda word: not word.startswith("-"))
    if first is None:
        raise WrongUsage("-i needs the name of a file after it")
    yield Path(first)
    while (following := rest.take(_is_value)) is not None:
        yield Path(following)


def _with_option(found: Arguments, word: str, rest: _Words) -> Arguments:
    name = word.partition("=")[0]
    if name in _WITH_VALUE or not word.startswith("--"):  # with one dash: an option of PETSc
        if "=" not in word:
            rest.take(lambda value: not value.startswith("-") and "/" not in value)
    elif name not in _WITHOUT_MEANING:
        raise WrongUsage(f"unknown option '{word}'; --help lists what there is")
    return replace(found, ignored=(*found.ignored, word))


def _carry_out(arguments: Arguments) -> int:
    resolved = input_file.read(arguments.files, arguments.overrides)
    if arguments.show_input:
        print(render(resolved.tree), end="")
    raise_errors(resolved.problems)
    checked = checking.check(resolved.tree)
    problems = [_softened(one, arguments) for one in (*resolved.problems, *checked.problems)]
    ignored = [
        Problem(f"option '{one}' has no meaning for the embedded solver", None, WARNING) for one in arguments.ignored
    ]
    _report([*problems, *ignored])
    if any(one.severity == ERROR for one in problems):
        return 1
    if arguments.check_only:
        print("Syntax OK")
        return 0
    _refine(checked.tree, arguments.refinements)
    base_path = resolved.folder / resolved.stem
    # A check does not wait for what only a run needs.
    from towline.simulations.moose.solver.run import Recovery
    from towline.simulations.moose.solver.run import run as run_solver

    notes = [str(one) for one in checked.warnings]
    recovery = Recovery(arguments.checkpoint) if arguments.recover else None
    code = run_solver(checked.tree, base_path, mesh_only=arguments.mesh_only, notes=notes, recovery=recovery)
    if arguments.mesh_only:
        print(f"The mesh is in {base_path.with_name(base_path.name + '_in.e')}")
    return code


def _softened(one: Problem, arguments: Arguments) -> Problem:
    unused = one.text.startswith(("unused parameter", "unused command line parameter"))
    return replace(one, severity=WARNING) if unused and arguments.allow_unused else one


def _report(problems: Sequence[Problem]) -> None:
    """Print what is wrong as MOOSE does: warnings one by one, then all errors together."""
    for one in problems:
        if one.severity == INFORMATION:
            print(one)
        elif one.severity == WARNING:
            print(f"*** Warning *** {one}", file=sys.stderr)
    errors = [str(one) for one in problems if one.severity == ERROR]
    if errors:
        print("\n*** ERROR ***", *errors, "", sep="\n", file=sys.stderr)


def _refine(tree: Section, refinements: int) -> None:
    """Let the mesh of a tree be refined some times more."""
    mesh = tree.section("Mesh")
    if not refinements or mesh is None:
        return
    old = mesh.own_field("uniform_refine")
    total = refinements + (old.as_int() if old is not None else 0)
    if old is not None:
        mesh.remove(old)
    mesh.add("uniform_refine", total)
