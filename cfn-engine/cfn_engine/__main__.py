"""Starts the engine."""

from .server import main

main()
