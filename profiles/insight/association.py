"""How strongly two things go together in baskets: the usual measures, from four counts.

n_ab baskets have both, n_a and n_b have one, of n baskets in all. Lift alone ranks badly: two products sold once, together,
have the highest of all. So rank by G2, which grows with the evidence, or by NPMI where n_ab is at least 20.
"""

from math import log


def lift(n_ab: int, n_a: int, n_b: int, n: int) -> float:
    """How many times more often than by chance: n_ab n / (n_a n_b); 1 is chance."""
    return n_ab * n / (n_a * n_b)


def confidence(n_ab: int, n_a: int) -> float:
    """The share of baskets with a that also have b."""
    return n_ab / n_a


def jaccard(n_ab: int, n_a: int, n_b: int) -> float:
    """Baskets with both, of those with either."""
    return n_ab / (n_a + n_b - n_ab)


def npmi(n_ab: int, n_a: int, n_b: int, n: int) -> float:
    """Normalised pointwise mutual information, ln lift / -ln(n_ab / n): -1 never together, 0 chance, 1 always (Bouma 2009)."""
    if n_ab == 0:
        return -1.0
    if n_ab == n:
        return 1.0
    return log(lift(n_ab, n_a, n_b, n)) / -log(n_ab / n)


def g2(n_ab: int, n_a: int, n_b: int, n: int) -> float:
    """The log-likelihood ratio of the 2 x 2 table, 2 sum k ln(k / expected) (Dunning 1993). Has no sign: look at the lift."""
    cells = (
        (n_ab, n_a * n_b),
        (n_a - n_ab, n_a * (n - n_b)),
        (n_b - n_ab, (n - n_a) * n_b),
        (n - n_a - n_b + n_ab, (n - n_a) * (n - n_b)),
    )
    return 2 * sum(count * log(count * n / expected) for count, expected in cells if count)
