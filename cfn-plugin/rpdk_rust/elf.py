"""The two fields of an ELF header that say whether the function can start a file: its type and its CPU."""

from typing import Literal

MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "arm64", 243: "riscv"}
EXECUTABLE_TYPES = (2, 3)  # ET_EXEC, and ET_DYN: position-independent, as Rust links it


class NotAnExecutableError(ValueError):
    """The file is no ELF executable."""


def machine_of(file: bytes) -> str:
    """Return the CPU that an ELF executable is built for; any other file raises NotAnExecutableError."""
    if len(file) < 20 or not file.startswith(b"\x7fELF"):
        raise NotAnExecutableError
    byte_order: Literal["little", "big"] = "big" if file[5] == 2 else "little"
    if int.from_bytes(file[16:18], byte_order) not in EXECUTABLE_TYPES:
        raise NotAnExecutableError
    machine = int.from_bytes(file[18:20], byte_order)
    return MACHINES.get(machine, f"ELF machine {machine}")
