"""Formulas as people write and paste them: every spelling means what its plain form means."""

from __future__ import annotations

import pytest

from kanstudio import formula
from kanstudio.errors import FormulaError

# A spelling and the plain form of the same formula, nothing declared.
SAME = [
    # LaTeX with its subscripts in other places
    ("x^{2}_{1} + \\sigma^2_x + T²_0", "x_1^2 + sigma_x^2 + T_0^2"),
    ("\\log_{0.5}(x)", "log(x, 1/2)"),
    ("\\log_{2n}^2 x", "log(x, 2n)^2"),
    ("\\log_{ab} x + \\log_{\\mathrm{top}}(x)", "log(x, a b) + log(x, top)"),
    ("log_{x+1}(y) + log_{\\pi} y", "log(y, x+1) + log(y, pi)"),
    ("e^{-2000}x", "exp(-2000)*x"),
    # Unicode
    ("½x + ⅓", "(1/2)*x + 1/3"),
    ("2½ x", "(5/2)*x"),
    ("¹⁄₂ x", "(1/2)*x"),
    ("xⁿ + 2ˣ + e⁻ˣ", "x^n + 2^x + e^(-x)"),
    ("x⁽ⁿ⁺¹⁾", "x^(n+1)"),
    ("x⁻¹ + x³ − 2x⁴", "x^(-1) + x^3 - 2*x^4"),
    ("sin²x + cos⁻¹(x)", "sin(x)^2 + arccos(x)"),
    ("x₁ + xₙ + θ₂", "x_1 + x_n + theta_2"),
    ("𝑥² + 𝜋·𝜃", "x^2 + pi*theta"),
    ("x\u2003+\u3000y\u2062z", "x + y*z"),
    ("\ufeffx ∙ y ⨯ z", "x*y*z"),
    ("∛x + ∜y + √(x+1)", "cbrt(x) + y^(1/4) + sqrt(x+1)"),
    ("sin(30°) x", "x/2"),
    ("where(x ≠ 0 ∧ ¬(y ≥ 1), 1, 0)", "where(x != 0 and y < 1, 1, 0)"),
    # numbers and signs
    ("2. + .5 + 10^-3 + 1.5e-3x", "2 + 1/2 + 1/1000 + 3/2000*x"),
    ("2^-x - -x^2", "2^(-x) + x^2"),
    ("a/b/c", "a/(b*c)"),
    ("x^y^z", "x^(y^z)"),
    ("||x|-1|", "abs(abs(x) - 1)"),
    ("|x - |y||", "abs(x - abs(y))"),
    # other languages
    ("np.where(np.sin(x)>0, np.exp(-x**2), 0.)", "where(sin(x) > 0, exp(-x^2), 0)"),
    ("math.sqrt(x**2+1)*math.pi", "sqrt(x^2+1)*pi"),
    ("torch.sigmoid(x) + F.relu(x)", "sigmoid(x) + relu(x)"),
    ("x.*y.^2./3 + 2.^x", "x*y^2/3 + 2^x"),
    ("Sin[x] + Exp[-x^2] + ArcTanh[y]", "sin(x) + exp(-x^2) + arctanh(y)"),
    ("SIN(X)*EXP(-X**2)*PI()", "sin(X)*exp(-X^2)*pi"),
    ("tg x + ctg y + arctg(x)", "tan(x) + cot(y) + arctan(x)"),
    ("sh(x) + ch(x) + th(x) + lg(x)", "sinh(x) + cosh(x) + tanh(x) + log10(x)"),
    ("arsinh x + argtanh y", "arcsinh(x) + arctanh(y)"),
    ("expm1(x) + log1p(x) + np.square(x)", "exp(x) - 1 + log(1 + x) + x^2"),
    ("np.maximum(x, 0) + fabs(y) + power(x, 3)", "max(x, 0) + abs(y) + x^3"),
    ("clip(x, 0, 1)", "min(max(x, 0), 1)"),
    ("x if x > 0 else 2*y if 0 < y < 1 else 0",
     "where(x > 0, x, where(0 < y and y < 1, 2*y, 0))"),
    ("IF(x<0, 1, 2) + If[y>1, 3, 4]", "where(x<0, 1, 2) + where(y>1, 3, 4)"),
    ("Piecewise((x, x<0), (x**2, x<=1), (1, True))", "piecewise(x<0, x, x<=1, x^2, 1)"),
    ("Piecewise((x, (x>0) & (x<1)), (y, True))", "where(x>0 and x<1, x, y)"),
    ("Piecewise[{{x, x<0}, {x^2, x>=0}}]", "where(x<0, x, x^2)"),
    ("Piecewise[{{x, x<0}}, 3]", "where(x<0, x, 3)"),
    ("where(And(x>0, Or(y>0, Not(x>1))), 1, 0)", "where(x>0 and (y>0 or x<=1), 1, 0)"),
    ("where(x<0 && y>0 || x>2, 1, 0)", "where((x<0 and y>0) or x>2, 1, 0)"),
    ("where((x<0) | ~(y>0), 1, 0)", "where(x<0 or y<=0, 1, 0)"),
    ("where(x = 0, 1, sin(x)/x)", "where(x == 0, 1, sin(x)/x)"),
    ("J_0(x) + σ(2x)", "j0(x) + sigmoid(2*x)"),
    ("x e^x + xe^{-x}", "x*exp(x) + x*exp(-x)"),
    ("m_1m_2", "m_1*m_2"),
    ("3x^2y - 2xy^2", "3*x^2*y - 2*x*y^2"),
    ("Δx/Δt + \\Delta T", "Delta_x/Delta_t + Delta_T"),
    ("Δ x^2 + Δ", "Delta*x^2 + Delta"),
    ("x mod 2 + \\operatorname{Ai}(x)", "mod(x, 2) + airyai(x)"),
    # LaTeX
    (r"\frac12 mv^2", "(1/2)*m*v^2"),
    (r"\frac ab + \frac1{c} + \dfrac{a}{\cfrac{1}{b}}", "a/b + 1/c + a*b"),
    (r"{a \over b} + \tfrac{1}{2}", "a/b + 1/2"),
    (r"\cos(kx - \omega t + \varphi_0)", "cos(k*x - omega*t + phi_0)"),
    (r"\log_{2}(x) + \log_2 y + \ln x + \lg x", "log2(x) + log2(y) + log(x) + log10(x)"),
    (r"\mathrm{e}^{-x} + \operatorname{arsinh}(x)", "exp(-x) + arcsinh(x)"),
    (r"\sqrt{x} + \sqrt[3]{y} + \sqrt[4]{z}", "sqrt(x) + cbrt(y) + z^(1/4)"),
    (r"\left|\left|x\right|-1\right| + \lvert y\rvert", "abs(abs(x) - 1) + abs(y)"),
    (r"\max\{x, y\} + \min\left\{x, 0\right\}", "max(x, y) + min(x, 0)"),
    (r"\tanh^{2} x + \sin^{-1}{x}", "tanh(x)^2 + arcsin(x)"),
    (r"\left(\frac{x-\mu}{\sigma}\right)^{\!2}", "((x - mu)/sigma)^2"),
    (r"\binom{n}{2}", "n*(n-1)/2"),
    ("binomial(x, 3)", "x*(x-1)*(x-2)/6"),
    (r"x \bmod 2", "mod(x, 2)"),
    (r"\sin 30^\circ + \sin 30^{\circ}", "1"),
    (r"\[ x^2 + 1. \]", "x^2 + 1"),
    (r"\( x \) ", "x"),
    ("$$x\\,y~z$$", "x*y*z"),
    (r"\alpha*2 + \mathrm{speed}\,t", "2*alpha + speed*t"),
    (r"\begin{cases} x & x < 0 \\ x^2 & \text{otherwise} \end{cases}", "where(x<0, x, x^2)"),
    (r"\begin{cases} x, & \text{if } 0 \le x < 1, \\ 0, & \text{else.} \end{cases}",
     "where(0<=x and x<1, x, 0)"),
    (r"\begin{cases} 1 & x = 0 \\ \frac{\sin x}{x} & x \neq 0 \end{cases}",
     "where(x == 0, 1, sin(x)/x)"),
    (r"\begin{dcases} -1 & x<0 \\ 0 & x=0 \\ 1 & x>0 \end{dcases}", "piecewise(x<0,-1,x==0,0,1)"),
    (r"\left\{ \begin{array}{ll} 0 & x<y \\ 1 & \mbox{for } x\ge y \end{array} \right.",
     "where(x<y, 0, 1)"),
]  # fmt: skip


@pytest.mark.parametrize(("spelled", "plain"), SAME, ids=[ascii(case[0]) for case in SAME])
def test_a_spelling_means_its_plain_form(spelled: str, plain: str) -> None:
    found, wanted = formula.parse(spelled), formula.parse(plain)
    assert [output.expr for output in found.outputs] == [output.expr for output in wanted.outputs]
    assert set(found.variables) == set(wanted.variables)


@pytest.mark.parametrize(
    ("text", "names", "plain"),
    [
        (r"\begin{equation} y = x^2 \label{eq:1} \end{equation}", ["y"], "x^2"),
        (r"\begin{align} y &= x^2 \\ z_1 &= 2x, \end{align}", ["y", "z_1"], "x^2; 2*x"),
        (r"\begin{align*} y &= x^2 \\ &\quad + 2x \end{align*}", ["y"], "x^2 + 2*x"),
        ("y = x^2\n    - 3x", ["y"], "x^2 - 3*x"),
        ("y = x^2 +\n 3x\nω = x", ["y", "omega"], "x^2 + 3*x; x"),
        ("x\n*y", [None], "x*y"),
        ("x\n-x", [None, None], "x; -x"),
        ("f(x,y) := x y", ["f"], "x*y"),
        ("\\hat{y} = \\bar{x}_1 + \\dot x", ["y_hat"], "xbar + xdot"),
        ("f(x) = \\begin{cases}\nx & x<0 \\\\\n-x & \\text{otherwise}\n\\end{cases}\n y = x",
         ["f", "y"], "where(x<0, x, -x); x"),
    ],
)  # fmt: skip
def test_labels_and_lines_are_told_apart(text: str, names: list[str | None], plain: str) -> None:
    read = formula.parse(text)
    assert [output.name for output in read.outputs] == names
    if "bar" in text:
        assert read.variables == ("x_bar_1", "x_dot")
        return
    wanted = formula.parse(plain)
    assert [output.expr for output in read.outputs] == [output.expr for output in wanted.outputs]


@pytest.mark.parametrize(
    ("text", "variables", "plain"),
    [
        ("sigma(x)", ["sigma", "x"], "sigma*x"),
        ("sigma(x)", ["x"], "sigmoid(x)"),
        (r"\Theta(x) + \psi(x)", ["x"], "heaviside(x) + digamma(x)"),
        ("J_0(x)", ["x", "J_0"], "J_0*x"),
        ("tg x + Pi", ["tg", "x", "Pi"], "tg*x + Pi"),
        ("sh x + True_1", ["x", "True_1"], "True_1 + sh x"),
        ("k_BT", ["k_B", "T"], "k_B*T"),
        ("Δx", ["Delta", "x"], "Delta*x"),
        ("Δx", ["Deltax", "x"], "Deltax"),
        ("theta2", ["theta_2"], "theta_2"),
        ("if(x<0, 1, 2)*and", ["x", "and"], "and*where(x<0, 1, 2)"),
    ],
)
def test_declared_names_come_first(text: str, variables: list[str], plain: str) -> None:
    assert formula.parse(text, variables).outputs[0].expr == (
        formula.parse(plain, variables).outputs[0].expr
    )


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("E = mc^2", "mc is read as one name; write m*c if that is meant"),
        (r"\frac{mc^2}{2}", "mc is read as m*c"),
        (r"\alpha2", "alpha2 is read as one name"),
        ("sigma(x)", "sigma(...) is read as the function sigmoid"),
        ("tg x", "tg is read as tan"),
        ("|2|x|+1|", "|2| ends at its second bar"),
        ("x^1/2", "x^1/2: the exponent is only 1"),
        ("30°", "a degree is read as pi/180"),
        ("x\n+ y", "the line that starts with + goes on with the line before it"),
        ("e^(i x)", "i is read as a variable: there are no complex numbers"),
        (r"\begin{cases} 1 & x<0 \\ 2 & x \ge 0 \end{cases}",
         "the last case is read as: in all other places"),
    ],
)  # fmt: skip
def test_free_readings_are_noted(text: str, note: str) -> None:
    assert note in formula.parse(text).notes


@pytest.mark.parametrize(
    ("text", "span", "message", "hint"),
    [
        ("x½", (1, 2), "a number after x", "write ½*x or x^½"),
        ("π2", (1, 2), "a number after π", ""),
        ("1,000 x", (0, 5), "a comma inside a number", "write 1000 without commas"),
        ("x'", (1, 2), "a name has no prime", ""),
        ("x!!", (2, 3), "a double factorial", "write (x!)!"),
        ("50% x", (2, 3), "a percent sign", ""),
        (r"\int x", (0, 4), "an integral is not read", ""),
        ("“x”", (0, 1), "a quotation mark", "leave it away"),
        ("x.sin()", (1, 2), ". is not a formula character", "write sin(x)"),
        ("y := 3", (2, 4), ":= is not part of a formula", "write y = ..."),
        ("sin + 1", (0, 3), "sin needs an argument", ""),
        ("ArcTan[x,y]", (0, 6), "arctan takes 1 argument, not 2", "write atan2(y, x)"),
        ("Log[2, x]", (0, 3), "Log[b, x] and log(x, b) differ", "write log(x, b)"),
        ("x -> x^2", (2, 4), "an arrow is no formula", "write f(x) = ..."),
        ("(x > 0) * x", (0, 7), "a comparison stands only in where", ""),
        ("where(x and y, 1, 2)", (6, 7), "and joins conditions", ""),
        ("where(0<x<1, x, 0)", (9, 10), "a chained comparison", "write 0 < x and x < 1"),
        ("x if y", (6, 6), "if stands only in: value if", ""),
        (r"\begin{cases} x & x < 0 \\ y & x>1 \end{cases}", (0, 13), "the cases leave", "end with"),
        (r"\begin{cases} x \\ y & x>1 \end{cases}", (14, 15), "only the last case", ""),
        (r"\begin{cases} x & x<0", (0, 6), r"\begin{cases} is never ended", ""),
        (r"\begin{matrix} x \end{matrix}", (0, 14), "the LaTeX environment matrix", ""),
        (r"x \end{align}", (2, 13), r"\end{align} ends nothing", ""),
    ],
)  # fmt: skip
def test_what_is_not_read_says_what_to_write(
    text: str, span: tuple[int, int], message: str, hint: str
) -> None:
    with pytest.raises(FormulaError) as caught:
        formula.parse(text)
    assert (caught.value.start, caught.value.end) == span
    assert caught.value.message.startswith(message)
    assert caught.value.hint.startswith(hint)
