"""The share of samples at which an edge's function has no true value."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from strategies import networks, samples

import kanstudio
from kanstudio import functions
from kanstudio.compiler import sympy_function
from kanstudio.errors import DataError
from kanstudio.formula import parse
from kanstudio.network.build import empty_network
from kanstudio.network.edits import set_function
from kanstudio.network.network import EdgeRef, Network
from kanstudio.network.outside import Outside, outside


@pytest.mark.parametrize(
    "text", ["sqrt(x)", "log(2*x - 1)", "arcsin(x)", "1/(x - 1)", "arccosh(x)", "gamma(x)"]
)
def test_one_edge_is_outside_where_its_formula_has_no_value(text: str) -> None:
    model = kanstudio.compile(text, dtype=torch.float64)
    x = np.linspace(-2, 2, 9)[:, None]
    values = sympy_function([parse(text).outputs[0].expr], ["x"])(x)
    (found,) = model.outside(torch.tensor(x)).values()
    assert found.share == np.isnan(values).mean()
    assert functions.get(found.function).name == found.function


def test_edges_deep_inside_are_named_by_their_ids() -> None:
    model = kanstudio.compile("sqrt(sin(x)) + cos(x)", dtype=torch.float64)
    network = model.network()
    ((edge_id, found),) = model.outside(torch.tensor([[-1.0], [1.0], [2.0], [-2.0]])).items()
    assert found == Outside("x^0.5", 0.5)
    edge = network.find_edge(edge_id)
    assert edge is not None
    assert network.layers[edge.layer].functions[edge.subnode][edge.source] == "x^0.5"
    assert edge.layer == 1


def test_a_composed_function_counts_the_branch_that_is_taken() -> None:
    model = kanstudio.KAN.from_network(
        set_function(empty_network([1, 1]), EdgeRef(0, 0, 0), "where(x > 0, log(x), sqrt(x + 1))")
    )
    x = torch.tensor([[-3.0], [-0.5], [0.5], [2.0]])
    (found,) = model.outside(x).values()
    assert found.share == 0.25
    assert model.outside(x[1:]) == {}


@given(networks())
def test_functions_with_a_value_everywhere_are_never_outside(network: Network) -> None:
    assert outside(network, samples(network)) == {}


def test_the_samples_of_the_last_call_are_taken() -> None:
    model = kanstudio.compile("sqrt(x)")
    with pytest.raises(DataError, match="no samples yet"):
        model.outside()
    model(torch.tensor([[-1.0]]))
    assert [found.share for found in model.outside().values()] == [1.0]
    with pytest.raises(DataError, match="no samples"):
        model.outside(torch.zeros(0, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constants_of_nature_have_their_reciprocals(dtype: torch.dtype) -> None:
    """1.38e-23 is no pole, though the slope of 1/x there is beyond single precision."""
    model = kanstudio.compile("E/(k*T)", dtype=dtype)
    x = torch.tensor([[1e-20, 1.380649e-23, 300.0]], dtype=dtype, requires_grad=True)
    y = model(x)
    y.sum().backward()
    assert y.item() == pytest.approx(1e-20 / 1.380649e-23 / 300, rel=1e-5)
    assert x.grad is not None and x.grad.isfinite().all()
    assert model.outside(x.detach()) == {}


def test_what_single_precision_cannot_hold_is_outside() -> None:
    model = kanstudio.compile("E/(k^2*T)")
    x = torch.tensor([[1e-20, 1.380649e-23, 300.0]])
    (found,) = model.outside(x).values()
    assert (found.function, found.share) == ("1/x^2", 1.0)
    assert model.double().outside(x.double()) == {}
