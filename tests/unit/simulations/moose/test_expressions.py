"""Expressions compute what FParser computes, and their derivatives are right."""

import math

import numpy as np
import pytest
import sympy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from towline.simulations.moose.expressions import Expression, InvalidExpression, compiled, constant, parse

_SYMPY = {
    "cbrt": lambda x: sympy.sign(x) * sympy.Abs(x) ** sympy.Rational(1, 3),
    "log10": lambda x: sympy.log(x, 10),
    "log2": lambda x: sympy.log(x, 2),
    "exp2": lambda x: 2**x,
    "hypot": lambda x, y: sympy.sqrt(x**2 + y**2),
    "max": sympy.Max,
    "min": sympy.Min,
    "abs": sympy.Abs,
}
_ONE = [
    "sin",
    "cos",
    "tanh",
    "exp",
    "atan",
    "sinh",
    "cosh",
    "asinh",
    "erf",
    "abs",
    "sqrt",
    "cbrt",
    "log",
    "log10",
    "log2",
]


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("{}^{}".format, inner.map(lambda text: f"({text})"), st.sampled_from(["2", "3", "-1", "0.5"])),
        st.builds("(-{})".format, inner),
        st.builds("{}({})".format, st.sampled_from(_ONE), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["hypot", "max", "min", "atan2"]), inner, inner),
    )


formulas = st.recursive(st.sampled_from(["x", "y", "2", "0.5", "1e-1", "pi"]), _grow, max_leaves=6)
points = st.floats(0.1, 2.0)


@given(formulas, points, points)
@settings(deadline=None, max_examples=50)
def test_values_are_those_of_sympy(formula: str, x: float, y: float) -> None:
    ours = parse(formula).evaluate_number({"x": x, "y": y})
    assume(math.isfinite(ours) and abs(ours) < 1e12)
    symbols = {"x": sympy.Symbol("x"), "y": sympy.Symbol("y")}
    theirs = sympy.parse_expr(formula.replace("^", "**"), {**symbols, **_SYMPY}).subs({"x": x, "y": y}).evalf(30)
    assume(theirs.is_real)
    assert ours == pytest.approx(float(theirs), rel=1e-8, abs=1e-9)


@given(formulas, points, points)
@settings(deadline=None, max_examples=50)
def test_derivatives_are_those_of_differences(formula: str, x: float, y: float) -> None:
    expression = parse(formula)
    slope = expression.derivative("x").evaluate_number({"x": x, "y": y})

    def difference(step: float, sides: tuple[int, int] = (-1, 1)) -> float:
        values = [expression.evaluate_number({"x": x + side * step, "y": y}) for side in sides]
        return (values[1] - values[0]) / ((sides[1] - sides[0]) * step)

    coarse, fine = difference(2e-5), difference(1e-5)
    left, right = difference(1e-5, (-1, 0)), difference(1e-5, (0, 1))
    # Right on a kink the differences across it agree with each other, and with neither side.
    assume(not abs(left - right) > 1e-2 * (1 + abs(fine)))
    # Where differences do not agree with each other there is a kink, a pole or a loss of digits.
    assume(all(math.isfinite(one) for one in (slope, coarse, fine)) and abs(fine) < 1e5)
    assume(abs(coarse - fine) < 1e-5 * (1 + abs(fine)))
    assert slope == pytest.approx(fine, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2^2", -4),
        ("2^-1", 0.5),
        ("2^3^2", 512),
        ("2*-3", -6),
        ("!0 + 1", 2),
        ("!(1 = 1)", 0),
        ("1 - 2 - 3", -4),
        ("7 % 4 * 2", 6),
        ("1 < 2 & 3 != 3 | 1", 1),
        ("1 + 1 = 2", 1),
        ("0.1 + 0.2 = 0.3", 1),
        ("if(0.6, 1, 2)", 1),
        ("if(0.4, 1, 2)", 2),
        ("int(-1.5) + int(1.5)", 0),
        ("trunc(-1.7) + floor(-1.2) + ceil(1.2)", -1),
        ("plog(2, 1)", math.log(2)),
        ("plog(0.5, 1)", -0.5 - 0.125 - 0.125 / 3),
        ("pow(2, 10) + hypot(3, 4)", 1029),
        ("a := 2; b := a^2;\n a*b", 8),
        ("e^1 - exp(1) + pi", math.pi),
        ("sec(0) + cot(pi/4)", 2),
        (".5e1 + 1.", 6),
        ("atan2(1, 1)", math.pi / 4),
    ],
)
def test_operators_and_functions_are_those_of_fparser(text: str, value: float) -> None:
    assert parse(text).evaluate_number({}) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected a number, a name or"),
        ("1 +", r"expected a number, a name or '\(' at character 4"),
        ("(1", r"expected '\)' at character 3"),
        ("1 2", "expected an operator at character 3"),
        ("sine(x)", "unknown function 'sine'.*Did you mean 'sin'?"),
        ("sin", "after the function sin"),
        ("sin(1, 2)", r"sin takes 1 argument\(s\), got 2"),
        ("if(1, 2)", "if takes 3"),
        ("a := 1", "expected ';'"),
        ("pi := 1; pi", "cannot be defined"),
        ("x # y", "unexpected '#' at character 3"),
        ("__import__('os')", "unexpected ''' at character 12"),
        ("negative(1)", "unknown function"),
        ("below(1, 2)", "unknown function"),
    ],
)
def test_what_is_no_expression_says_where(text: str, complaint: str) -> None:
    with pytest.raises(InvalidExpression, match=complaint):
        parse(text)


@given(st.text(alphabet="xy12.e+-*/^()<>=!&|,;: sinif", max_size=40))
@example("(" * 5000)
@example("-" * 5000)
@example("+".join("x" * 1000))
@example("2^" * 5000 + "2")
@example("9^9^9^9^9")
@settings(deadline=None)
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        expression = parse(text)
    except InvalidExpression:
        return
    values = dict.fromkeys(expression.names, 0.5)
    expression.evaluate_number(values)
    expression.derivative("x").evaluate_number(values)


def test_arrays_are_computed_element_by_element_and_undefined_values_are_nan() -> None:
    values = parse("if(c < 0, log(c), c^3)").evaluate({"c": np.array([[-1.0, 0.0], [1.0, 2.0]])})
    np.testing.assert_array_equal(values, [[np.nan, 0.0], [1.0, 8.0]])


def test_integers_do_not_divide_as_integers() -> None:
    assert parse("1/c").evaluate({"c": np.array([4])})[0] == 0.25


def test_several_expressions_share_what_they_have_in_common() -> None:
    energy = parse("W*c^2*(1-c)^2")
    names = ("c", "W")
    program = compiled([energy, energy.derivative("c"), energy.derivative("c", "c")], names)
    c = np.linspace(-0.1, 1.1, 7)
    value, slope, curvature = program(c, 16.0)
    np.testing.assert_allclose(value, 16 * c**2 * (1 - c) ** 2, atol=1e-14)
    np.testing.assert_allclose(slope, 32 * c * (1 - c) * (1 - 2 * c), atol=1e-13)
    np.testing.assert_allclose(curvature, 32 * (1 - 6 * c + 6 * c**2), atol=1e-13)
    # The same parts of the three are computed once: far fewer steps than three expressions apart need.
    assert len(program._steps) < 40


def test_the_derivative_of_a_chain_of_definitions_does_not_explode() -> None:
    text = "a0 := x + 1;" + "".join(f"a{n} := a{n - 1} * a{n - 1};" for n in range(1, 60)) + "a59"
    slope = parse(text).derivative("x")
    assert slope.evaluate_number({"x": -1.0}) == 0.0


def test_names_are_replaced_all_at_once() -> None:
    swapped = parse("x - 2*y").substitute({"x": parse("y"), "y": parse("x")})
    assert swapped.evaluate_number({"x": 1.0, "y": 10.0}) == 8.0
    assert parse("x*y").substitute({"x": constant(0.0), "y": 3.0}).constant == 0.0


def test_a_name_without_a_value_is_told() -> None:
    with pytest.raises(InvalidExpression, match=r"no value for 'kapa'\. Did you mean 'kappa'?"):
        parse("kapa + 1").evaluate({"kappa": 1.0})
    with pytest.raises(InvalidExpression, match="no value for 'c'"):
        parse("c").compiled(["d"])


def test_the_names_of_a_text_stay_known_where_they_cancel() -> None:
    found = parse("0*T + 1")
    assert isinstance(found, Expression)
    assert found.names == {"T"}
    assert found.constant == 1.0
