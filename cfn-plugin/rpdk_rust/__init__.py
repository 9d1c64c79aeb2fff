"""The CloudFormation CLI's language plugin for this project's Rust code."""

from rpdk_rust.plugin import RustLanguagePlugin, setup_subparser

__all__ = ["RustLanguagePlugin", "setup_subparser"]
