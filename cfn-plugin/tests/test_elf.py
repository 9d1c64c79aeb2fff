import os
import sys
from pathlib import Path

import pytest
from rpdk_rust.elf import machine_of


@pytest.mark.skipif(sys.platform != "linux", reason="reads the header of the Python that runs it, an ELF file on Linux")
def test_the_header_of_a_real_executable_names_the_cpu_it_runs_on() -> None:
    assert machine_of(Path(sys.executable).read_bytes()) == os.uname().machine
