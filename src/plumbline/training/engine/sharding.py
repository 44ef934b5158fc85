"""``strategy: fsdp``: weights, gradients and optimiser states are sharded over the processes.

The weights of a network are gathered for a pass and freed after it ("PyTorch FSDP: experiences on
scaling fully sharded data parallel", Zhao et al. 2023, by torch's ``fully_shard``). Lightning's own
``fsdp`` flattens weights, but weight decay depends on their shapes here, and it needs GPUs. Its
`ModelParallelStrategy` keeps shapes and runs anywhere; this is that strategy without tensor
parallelism, for any network.
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
    """Train copies of a module's networks whose tensors are sharded over all processes.

    Batch statistics differ between processes in training; those of the first process are evaluated
    and kept, as in DDP.
    """

    def __init__(self) -> None:
        super().__init__(tensor_parallel_size=1, save_distributed_checkpoint=False)
        self._whole: dict[str, nn.Module] = {}

    def setup_environment(self) -> None:
        """Shard over every process of every machine."""
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    def setup(self, trainer: Trainer) -> None:
        """Replace the networks by sharded copies, before the optimiser is made."""
        module = self.lightning_module
        assert module is not None
        for name, network in list(module.named_children()):
            if any(True for _ in network.parameters()):
                self._whole[name] = network
                sharded = copy.deepcopy(network).to(self.root_device)
                mesh = self.device_mesh["data_parallel"]
                fully_shard(sharded, mesh=mesh, reshard_after_forward=True)
                sharded.register_forward_pre_hook(_evaluate_first_buffers)
                setattr(module, name, sharded)
        # Lightning requires this hook, whose work has just been done.
        module.configure_model = _nothing  # type: ignore[method-assign]
        super().setup(trainer)

    def gather_weights(self) -> None:
        """Copy the weights of the copies to the original networks, in each process.

        All processes must call it.
        """
        module = self.lightning_module
        assert module is not None
        for name, network in self._whole.items():
            _take_first_buffers(getattr(module, name))
            network.load_state_dict(whole_state(getattr(module, name)))
            setattr(module, name, network)
        self._whole = {}


def whole_state(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a module's state on the CPU, with sharded tensors gathered.

    All processes must call it where a tensor is sharded.
    """
    return {name: _whole(value).cpu().clone() for name, value in module.state_dict().items()}


def _evaluate_first_buffers(network: nn.Module, _: object) -> None:
    if not network.training:
        _take_first_buffers(network)


def _take_first_buffers(network: nn.Module) -> None:
    for buffer in network.buffers():
        dist.broadcast(buffer, src=0)


def _whole(value: Tensor) -> Tensor:
    found: Tensor = value.full_tensor() if isinstance(value, DTensor) else value
    return found.detach()


def _nothing() -> None:
    pass
