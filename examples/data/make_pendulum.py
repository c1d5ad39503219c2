"""Make pendulum.csv: periods of a simulated pendulum, timed by hand.

A wooden ball on a light string is let go at rest and five full swings are timed with a
stopwatch. The ball feels gravity and the drag of the air,

    theta'' = -(g / L) sin(theta) - beta L theta' |theta'|,    beta = rho C_d A / (2 m),

and both presses of the stopwatch come a little early or late. See README.md for the
numbers. ``python examples/data/make_pendulum.py`` writes the file again, digit for digit.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

G = 9.81  # m/s^2
AIR_DENSITY = 1.20  # kg/m^3
DRAG_COEFFICIENT = 0.47  # of a sphere
RADIUS = 0.04  # m
BALL_DENSITY = 600.0  # kg/m^3, pine
BETA = AIR_DENSITY * DRAG_COEFFICIENT * 3 / (8 * RADIUS * BALL_DENSITY)  # 1/m

SWINGS = 5
PRESS_ERROR = 0.04  # s, standard deviation of one press of the stopwatch
N_ROWS = 500
SEED = 20240501
FILE = Path(__file__).with_name("pendulum.csv")


def period(length: float, angle: float, beta: float = BETA) -> float:
    """Mean period in seconds of the first swings after release at rest.

    length in m; angle of release in rad, between 0 and pi.
    """

    def motion(_: float, state: np.ndarray) -> list[float]:
        theta, speed = state
        drag = beta * length * speed * abs(speed)
        return [speed, -G / length * np.sin(theta) - drag]

    def turns_back(_: float, state: np.ndarray) -> float:
        return float(state[1])

    # The speed falls through 0 where the ball comes to rest on the side of its release.
    turns_back.direction = -1  # type: ignore[attr-defined]
    slow = 2 * np.pi * np.sqrt(length / G) / np.cos(angle / 2)
    solution = solve_ivp(
        motion,
        (0, (SWINGS + 1) * slow),
        [angle, 0.0],
        method="DOP853",
        events=turns_back,
        rtol=1e-9,
        atol=1e-9,
    )
    # The release itself may count as a turn at time 0.
    turns = [time for time in solution.t_events[0] if time > 1e-6]
    return float(turns[SWINGS - 1] / SWINGS)


def rows() -> list[tuple[str, str, str]]:
    """Length in m (to the millimetre), angle in rad, period in s, as written in the file."""
    rng = np.random.default_rng(SEED)
    table = []
    for _ in range(N_ROWS):
        length = round(float(rng.uniform(0.2, 2.0)), 3)
        angle = round(float(rng.uniform(0.1, 2.4)), 3)
        error = float(rng.normal(0, PRESS_ERROR, 2).sum()) / SWINGS
        table.append((f"{length:.3f}", f"{angle:.3f}", f"{period(length, angle) + error:.4f}"))
    return table


def main() -> None:
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("L", "theta", "T"))
        writer.writerows(rows())
    print(f"wrote {FILE.name}: {N_ROWS} rows")


if __name__ == "__main__":
    main()
