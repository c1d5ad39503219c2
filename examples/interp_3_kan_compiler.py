# %% [markdown]
# # A formula becomes a network
#
# Reading a formula out of a trained network is one direction. This is the other one: a formula
# is compiled into a network that computes it exactly. That helps when a law is known but only
# roughly right: start from the law, and let data correct it.
#
# Anyone who knows the compiler tutorial of pykan finds the same calls here; only the imports
# differ.

# %%
import torch
from sympy import exp, pi, sin, symbols

from kanstudio import create_dataset, get_feynman_dataset, kanpiler

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print(device)

# %%
input_variables = x, y = symbols("x y")
expr = exp(sin(pi * x) + y**2)
model = kanpiler(input_variables, expr).to(device)
print(model.width)

# %% [markdown]
# Red edges are symbolic. Each card shows the edge's function on the samples that `get_act` saw.

# %%
f = lambda x: torch.exp(torch.sin(torch.pi * x[:, 0]) + x[:, 1] ** 2)
dataset = create_dataset(f, n_var=2, device=device)
model.get_act(dataset)
model.plot()

# %% [markdown]
# ## A formula from the Feynman set
#
# There are 120 of them. Number 36 is the relativistic Doppler shift,
# $\omega_0 (1 + v/c) / \sqrt{1 - v^2/c^2}$; products become mult nodes.

# %%
problem_id = 36
input_variables, expr, f, ranges = get_feynman_dataset(problem_id)
n_var = len(input_variables)
model = kanpiler(input_variables, expr)
print(expr, model.width, model.mult_arity)

dataset = create_dataset(f, n_var=n_var, ranges=ranges)
model.get_act(dataset)
model.plot(in_vars=input_variables, out_vars=[symbols("omega")], beta=10000)

# %% [markdown]
# The network is the formula, up to rounding:

# %%
loss = torch.mean((model(dataset["train_input"]) - dataset["train_label"]) ** 2)
print(f"mean squared error {loss:.1e}")

# %% [markdown]
# ## Room to learn
#
# As it stands only the numbers inside the symbolic functions can be trained. How much more is
# wanted is a choice:
#
# - nothing more: train as it is;
# - functions that can bend: `perturb(mode="minimal")` adds a spline to the edges in use;
# - connections that are not in the formula at all: `perturb(mode="all")`;
# - a richer structure than the formula's: `expand_depth` and `expand_width` first.
#
# Here is the last of them. One more layer on top:

# %%
model.expand_depth()
model.get_act(dataset)
model.plot()

# %% [markdown]
# Two sum nodes in level 1:

# %%
model.expand_width(1, 2)
model.get_act(dataset)
model.plot()

# %% [markdown]
# Two mult nodes in level 2, of arity 2 and 3:

# %%
model.expand_width(2, 2, sum_bool=False, mult_arity=[2, 3])
model.get_act(dataset)
model.plot()
print(model.width, model.mult_arity)

# %% [markdown]
# None of this has changed what the network computes:

# %%
loss = torch.mean((model(dataset["train_input"]) - dataset["train_label"]) ** 2)
print(f"mean squared error {loss:.1e}")

# %% [markdown]
# A perturbation of 0.1 on all edges. Purple edges have both a symbolic and a spline part, black
# ones only a spline:

# %%
model.perturb(mag=0.1, mode="all")
model.get_act(dataset)
model.plot(metric="forward_n")

# %%
model.plot(beta=1000)

# %% [markdown]
# Training brings the network back to the data:

# %%
history = model.fit(dataset, opt="LBFGS", steps=20)
train_loss, test_loss = history["train_loss"], history["test_loss"]
print(f"train RMSE {train_loss[0]:.1e} -> {train_loss[-1]:.1e}")
print(f"test  RMSE {test_loss[0]:.1e} -> {test_loss[-1]:.1e}")
model.plot(metric="forward_n")
