"""The functions that math.h lacks, as C: each stands by itself, in double precision."""

from __future__ import annotations

HELPERS = {
    "kan_sign": """
static double kan_sign(double x)
{
    return (x > 0.0) - (x < 0.0);
}
""",
    "kan_mod": """
/* The remainder with the sign of m: x - m*floor(x/m), without its rounding. */
static double kan_mod(double x, double m)
{
    const double r = fmod(x, m);
    return r != 0.0 && (r < 0.0) != (m < 0.0) ? r + m : r;
}
""",
    "kan_arccot": """
static double kan_arccot(double x)
{
    return x == 0.0 ? 1.5707963267948966 : atan(1.0/x);
}
""",
    "kan_sigmoid": """
static double kan_sigmoid(double x)
{
    return x > 0.0 ? 1.0/(1.0 + exp(-x)) : exp(x)/(1.0 + exp(x));
}
""",
    "kan_softplus": """
static double kan_softplus(double x)
{
    return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}
""",
    "kan_sinc": """
static double kan_sinc(double x)
{
    return x == 0.0 ? 1.0 : sin(x)/x;
}
""",
    "kan_digamma": """
/* Reflection, recurrence up to 12, asymptotic series (Abramowitz and Stegun 6.3.18). */
static double kan_digamma(double x)
{
    const double pi = 3.141592653589793;
    double sum = 0.0, w;
    if (x <= 0.0) {
        if (x == floor(x))
            return NAN;
        sum = -pi/tan(pi*(x - floor(x)));
        x = 1.0 - x;
    }
    for (; x < 12.0; x += 1.0)
        sum -= 1.0/x;
    w = 1.0/(x*x);
    w *= 1.0/12 - w*(1.0/120 - w*(1.0/252 - w*(1.0/240 - w*(1.0/132 - w*(691.0/32760 - w/12)))));
    return sum + log(x) - 0.5/x - w;
}
""",
    "kan_erfinv": """
/* A first guess (Winitzki 2008), then Halley's iteration; erfc near the ends. */
static double kan_erfinv(double x)
{
    const double a = fabs(x), l = log1p(-a*a), g = 4.3307467508 + 0.5*l;
    double y = sqrt(fmax(sqrt(g*g - l/0.147) - g, 0.0));
    int n;
    if (!(a < 1.0))
        return NAN;
    for (n = 0; n < 4; n++) {
        const double error = a < 0.5 ? erf(y) - a : (1.0 - a) - erfc(y);
        const double step = error/(1.1283791670955126*exp(-y*y));
        y -= step/(1.0 + y*step);
    }
    return x < 0.0 ? -y : y;
}
""",
    "kan_i0": """
/* The power series: all terms are positive, so nothing cancels. */
static double kan_i0(double x)
{
    const double q = 0.25*x*x;
    double term = 1.0, sum = 1.0, k;
    for (k = 1.0; term > 1e-17*sum && k < 2000.0; k += 1.0) {
        term *= q/(k*k);
        sum += term;
    }
    return sum;
}
""",
    "kan_i1": """
static double kan_i1(double x)
{
    const double q = 0.25*x*x;
    double term = 0.5*x, sum = term, k;
    for (k = 1.0; fabs(term) > 1e-17*fabs(sum) && k < 2000.0; k += 1.0) {
        term *= q/(k*(k + 1.0));
        sum += term;
    }
    return sum;
}
""",
    "kan_k": """
/* The integral of exp(-x*cosh(t))*cosh(v*t) over t > 0: the trapezoidal rule converges fast. */
static double kan_k(double x, double v)
{
    const double h = 0.03125;
    double sum = 0.5*exp(-x), t, term;
    if (!(x > 0.0))
        return NAN;
    for (t = h; t < 800.0; t += h) {
        term = exp(-x*cosh(t))*cosh(v*t);
        sum += term;
        if (term <= 1e-18*sum && x*cosh(t) > 1.0)
            break;
    }
    return h*sum;
}
""",
}
