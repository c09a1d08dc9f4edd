"""Number formats of a stream's activations."""

from __future__ import annotations

import torch


def resolved(name: str, device: str) -> torch.dtype:
    """Number format that a recipe's ``precision`` means on a device.

    ``auto`` is bfloat16 where the device multiplies it in hardware, else float32.

    Examples
    --------
    >>> resolved("float32", "cpu")
    torch.float32
    """
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
    return torch.bfloat16 if _multiplies_bfloat16(torch.device(device)) else torch.float32


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether in hardware: where bfloat16 is emulated it is no faster than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    found: dict[str, object] = {}
    # An older torch cannot tell.
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        found = dict(torch.cpu.get_capabilities())
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16"))
