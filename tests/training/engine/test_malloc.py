"""Freed memory is kept where the allocator has the setting, and nothing breaks where it has not."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from plumbline.training.engine import malloc

# A step's worth of blocks, asked for and freed; each is read at every page, as a step would.
STEPS = """
import ctypes, resource
{first}
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def step():
    blocks = [libc.malloc(4 * 2**20) for _ in range(8)]
    for block in blocks:
        ctypes.memset(block, 1, 4 * 2**20)
    for block in reversed(blocks):
        libc.free(block)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
KEEP = "from plumbline.training.engine.malloc import keep_freed_memory; assert keep_freed_memory()"


def faults(first: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", STEPS.format(first=first)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_memory_that_was_freed_is_not_fetched_again() -> None:
    # 10 steps of 32 MiB: 81,920 pages of 4 KiB, or 160 of 2 MiB where the kernel gives such.
    assert faults(KEEP) < faults("") / 4


@pytest.mark.parametrize("fault", [AttributeError, OSError, TypeError])
def test_another_allocator_is_left_alone(
    fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(name: None) -> None:
        raise fault

    monkeypatch.setattr(ctypes, "CDLL", unknown)
    assert malloc.keep_freed_memory() is False
