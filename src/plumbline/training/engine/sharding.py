"""``strategy: fsdp``: every process keeps a part of the weights, gradients and optimiser's state.

The weights of a network are put together for a pass and let go after it ("PyTorch FSDP: experiences
on scaling fully sharded data parallel", Zhao et al. 2023, by torch's ``fully_shard``). Lightning's
own ``fsdp`` flattens weights, whose shapes decide here what is decayed, and runs on GPUs alone; its
`ModelParallelStrategy` keeps shapes and runs anywhere, and this is that strategy without tensor
parallelism, for networks that know nothing of it.
"""

from __future__ import annotations

import copy

from pytorch_lightning import Trainer
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor


class Sharded(ModelParallelStrategy):
    """Train copies of a module's networks whose tensors are spread over all processes.

    Batch statistics are each process's own while it trains; the first one's are evaluated and kept,
    as DDP does.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)
        self._whole: dict[str, nn.Module] = {}

    def setup_environment(self) -> None:
        """Spread over every process of every machine."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    def setup(self, trainer: Trainer) -> None:
        """Put sharded copies in the place of the networks, before the optimiser sees any."""
        module = self.lightning_module
        assert module is not None
        for name, network in list(module.named_children()):
            if any(True for _ in network.parameters()):
                self._whole[name] = network
                spread = copy.deepcopy(network).to(self.root_device)
                mesh = self.device_mesh["data_parallel"]
                fully_shard(spread, mesh=mesh, reshard_after_forward=True)
                spread.register_forward_pre_hook(_evaluate_the_first_ones)
                setattr(module, name, spread)
        # Lightning insists that a module does by itself what has just been done for it.
        module.configure_model = _nothing  # type: ignore[method-assign]
        super().setup(trainer)

    def gather_weights(self) -> None:
        """Give the networks that the module came with the weights of their copies, in each process.

        All processes must take part.
        """
        module = self.lightning_module
        assert module is not None
        for name, network in self._whole.items():
            _take_buffers_of_the_first(getattr(module, name))
            network.load_state_dict(whole_state(getattr(module, name)))
            setattr(module, name, network)
        self._whole = {}


def whole_state(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a module's state on the CPU, with the parts of all processes together.

    Where a tensor is spread all processes must take part.
    """
    return {name: _whole(value).cpu().clone() for name, value in module.state_dict().items()}


def _evaluate_the_first_ones(network: nn.Module, _: object) -> None:
    if not network.training:
        _take_buffers_of_the_first(network)


def _take_buffers_of_the_first(network: nn.Module) -> None:
    for buffer in network.buffers():
        dist.broadcast(buffer, src=0)


def _whole(value: Tensor) -> Tensor:
    found: Tensor = value.full_tensor() if isinstance(value, DTensor) else value
    return found.detach()


def _nothing() -> None:
    pass
