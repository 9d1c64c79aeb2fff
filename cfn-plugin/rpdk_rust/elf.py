"""What the header of a file says about it: is it an executable, and for which CPU."""

from io import BytesIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

# The second one is what Rust links: position-independent.
EXECUTABLE_TYPES = ("ET_EXEC", "ET_DYN")


class NotAnExecutableError(ValueError):
    """The file is no ELF executable."""


def machine_of(file: bytes) -> str:
    """Return the CPU of an ELF executable, as in `x86_64`; any other file raises NotAnExecutableError."""
    try:
        header = ELFFile(BytesIO(file)).header
    except ELFError as error:
        raise NotAnExecutableError from error
    if header["e_type"] not in EXECUTABLE_TYPES:
        raise NotAnExecutableError
    # A CPU that the library has no name for is a number.
    return str(header["e_machine"]).removeprefix("EM_").lower()
