"""Gather the states of the processes of a `torch.distributed` group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crossphase.errors import InputTypeError, InputValueError
from crossphase.pair_state import PairState, merge_states
from crossphase.sources.optional import load


def gather_states(state: PairState | None, group: Any = None) -> PairState:
    """The state of all rows, in every process of a group; each brings the state of its own rows.

    Parameters
    ----------
    state : PairState or None
        Of this process's rows, e.g. ``crossphase.summarize_pair(X, Y, labels, rows=(first, stop))``; None if it had none.
    group : torch.distributed.ProcessGroup, optional
        Default: the group of all processes. With NCCL the bytes travel through the current CUDA device, else through memory.

    Returns
    -------
    PairState
        The bytes that one process would have made of all rows, in every process.

    Raises
    ------
    InputValueError
        States overlap, are of different data sets, or leave rows out; raised in every process, naming the ranks or rows.

    Notes
    -----
    States travel one at a time, in the order of their rows, so that a process holds the merged state and one other.
    """
    if state is not None and not isinstance(state, PairState):
        raise InputTypeError(f"state must be a PairState or None; got {type(state).__name__}.")
    torch = load("torch", "crossphase.distributed.torch")
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        raise InputValueError("gather_states needs a process group; call torch.distributed.init_process_group first.")
    if distributed.get_rank(group) < 0:
        raise InputValueError("gather_states was called by a process that is not in the group.")
    merged = merge_states(_received(state, group, torch))
    if not merged.is_complete:
        missing = ", ".join(f"{first} to {stop - 1}" for first, stop in merged.missing_ranges)
        raise InputValueError(
            f"no process brought rows {missing} of {merged.dataset.n_samples}; summarize them too, each row in one process."
        )
    return merged


def _received(state: PairState | None, group: Any, torch: Any) -> Iterator[tuple[str, PairState]]:
    """The states of all ranks that have one, in the order of their first rows."""
    distributed = torch.distributed
    is_nccl = distributed.get_backend(group) == "nccl"
    device = torch.device("cuda", torch.cuda.current_device()) if is_nccl else torch.device("cpu")
    own = b"" if state is None else state.to_bytes()
    first_row = -1 if state is None else state.row_ranges[0][0]
    heading = torch.tensor([len(own), first_row], dtype=torch.int64, device=device)
    headings = [torch.empty_like(heading) for _ in range(distributed.get_world_size(group))]
    distributed.all_gather(headings, heading, group=group)
    sizes = [(first, rank, n_bytes) for rank, (n_bytes, first) in enumerate(h.tolist() for h in headings) if n_bytes]
    for _, rank, n_bytes in sorted(sizes):
        if rank == distributed.get_rank(group):
            content = torch.frombuffer(bytearray(own), dtype=torch.uint8).to(device)
        else:
            content = torch.empty(n_bytes, dtype=torch.uint8, device=device)
        source = rank if group is None else distributed.get_global_rank(group, rank)
        distributed.broadcast(content, src=source, group=group)
        yield f"the state of rank {rank}", PairState.from_bytes(content.cpu().numpy().data)
