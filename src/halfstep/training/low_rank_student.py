"""A student as a change of low rank of another network: what is added to its weights is learned, they are not."""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from halfstep.arrays import Float
from halfstep.bundle.low_rank import LEVELS, Change, Thin
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.schedule import Schedule
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.training.denoising import noised
from halfstep.training.example import Example
from halfstep.training.loss import squared_v_error
from halfstep.training.step_random import LossFn, StepRandom

SMALLEST = 2048  # numbers: below this a weight's difference is kept as it is


class Changed(nn.Module):
    """`base`, its large weights W as W + up' down, its small ones each with a difference (Hu et al. 2022, LoRA).

    up and down count in the levels in which they will be kept; gradients pass the rounding as if there were none.
    """

    def __init__(self, base: Denoiser, student: Denoiser, numbers: int) -> None:
        """Begin as near to `student`, a network of the same shape, as at most so many numbers of `up` and `down` come.

        They go where they take away most of the difference, as a share of the weight's own square.
        """
        super().__init__()
        self.base = base.eval().requires_grad_(False)
        self.up, self.down, self.small = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        wanted = dict(student.named_parameters())
        terms: dict[str, Terms] = {}
        for name, weight in base.named_parameters():
            difference = (wanted[name] - weight).detach()
            if weight.dim() > 1 and weight.numel() >= SMALLEST:
                terms[name] = Terms(difference.flatten(1), float(weight.square().sum()))
            else:
                self.small[_key(name)] = nn.Parameter(difference)
        for name, rank in ranks(terms, numbers).items():
            up, down = terms[name].first(rank)
            self.up[_key(name)], self.down[_key(name)] = nn.Parameter(up), nn.Parameter(down)

    def forward(
        self, z_t: Float[Tensor, "batch channels length"], at_t: Rates, condition: Condition
    ) -> Float[Tensor, "batch channels length"]:
        """v, as a `Denoiser` gives it."""
        return cast("Tensor", functional_call(self.base, self._weights(), (z_t, at_t, condition)))

    def _weights(self) -> dict[str, Tensor]:
        weights: dict[str, Tensor] = dict(self.base.named_parameters())
        for key, up in self.up.items():
            weight = weights[_name(key)]
            weights[_name(key)] = weight + (_rounded(up).T @ _rounded(self.down[key])).view(weight.shape)
        for key, difference in self.small.items():
            weights[_name(key)] = weights[_name(key)] + difference
        return weights

    def change(self, prefix: str) -> Change:
        """For a model folder, whose ONNX files have `prefix` before the names of weights."""
        thin_ones: dict[str, Thin] = {}
        for key, up in self.up.items():
            thin_ones[prefix + _name(key)] = thin(up.detach(), self.down[key].detach())
        small = {prefix + _name(key): value.detach().cpu().numpy().reshape(-1) for key, value in self.small.items()}
        return Change(thin=thin_ones, vectors=small)


class Terms:
    """A difference of two weights [rows, columns] as a sum of thin products, the largest first.

    share: of the weight's own square, that each takes away. cost: numbers in one.
    """

    def __init__(self, difference: Float[Tensor, "rows columns"], square: float) -> None:
        self._left, values, self._right = torch.linalg.svd(difference, full_matrices=False)
        self._root = values.sqrt()
        self.share = (values.square() / max(square, 1e-12)).tolist()
        self.cost = sum(difference.shape)

    def first(self, rank: int) -> tuple[Float[Tensor, "rank rows"], Float[Tensor, "rank columns"]]:
        """up [rank, rows] and down [rank, columns], the values halved between them."""
        root = self._root[:rank, None]
        return self._left.T[:rank] * root, self._right[:rank] * root


def ranks(terms: Mapping[str, Terms], numbers: int) -> dict[str, int]:
    """How many products each weight gets, the best for its cost first, until they have so many numbers."""
    offers = [(share / one.cost, name) for name, one in terms.items() for share in one.share]
    ranks: dict[str, int] = {}
    for _, name in sorted(offers, reverse=True):
        numbers -= terms[name].cost
        if numbers < 0:
            break
        ranks[name] = ranks.get(name, 0) + 1
    return ranks


def _levels(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest whole number of steps to each number, and the step of each vector [rank, 1]: its largest is LEVELS
    of them.
    """
    step = vectors.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / LEVELS
    return torch.round(vectors / step), step


def thin(up: Float[Tensor, "rank rows"], down: Float[Tensor, "rank columns"]) -> Thin:
    """up' down, as it is kept."""
    (ups, step_up), (downs, step_down) = (_levels(part.cpu()) for part in (up, down))
    return Thin(
        up=ups.to(torch.int8).numpy(), down=downs.to(torch.int8).numpy(), scale=(step_up * step_down).flatten().numpy()
    )


def _rounded(vectors: Tensor) -> Tensor:
    with torch.no_grad():
        levels, step = _levels(vectors)
        off = levels * step - vectors
    return vectors + off


def _key(name: str) -> str:
    return name.replace(".", "/")  # a ParameterDict takes a dot for a module inside a module


def _name(key: str) -> str:
    return key.replace("/", ".")


def matching_loss(student: Denoiser, num_steps: int, schedule: Schedule) -> LossFn[Changed]:
    """How far `network` is from `student`, in v, at the times i / N of its calls: mean squared, over the student's
    own mean square.
    """

    def loss(network: Changed, example: Example, random: StepRandom) -> Tensor:
        count = random.count(example.x)
        times = random.part.own(random.rng.integers(1, num_steps + 1, count) / num_steps)
        at_t = rates_like(schedule.rates(times), example.x)
        z_t = noised(example.x, random.noise_like(example.x), at_t)
        with torch.no_grad():
            wanted = student(z_t, at_t, example.condition)
        return squared_v_error(network(z_t, at_t, example.condition), wanted, example.counted).mean() / (
            wanted.square().mean()
        )

    return loss
