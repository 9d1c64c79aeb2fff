"""What a handler answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checkout import masked

Model = dict[str, Any]


@dataclass(frozen=True)
class ProgressEvent:
    """The last answer to one operation, and how it is shown when it is not the one that was expected."""

    action: str
    answer: Mapping[str, Any]

    @property
    def status(self) -> str:
        """SUCCESS, FAILED or IN_PROGRESS."""
        return str(self.answer["status"])

    @property
    def error_code(self) -> str | None:
        """The handler error code of a failure."""
        return self.answer.get("errorCode")

    @property
    def model(self) -> Model:
        """The model that the event carries."""
        assert "resourceModel" in self.answer, f"{self} carries no model"
        model: Model = self.answer["resourceModel"]
        return model

    def succeeded(self) -> "ProgressEvent":
        """Return this very event; AssertionError unless it is a success."""
        assert self.status == "SUCCESS", f"expected SUCCESS, and {self}"
        return self

    def failed(self, error_code: str) -> "ProgressEvent":
        """Return this very event; AssertionError unless it is a failure with this code."""
        assert (self.status, self.error_code) == ("FAILED", error_code), f"expected FAILED {error_code}, and {self}"
        return self

    def __str__(self) -> str:
        """Tell it in one line, without secrets."""
        shown = masked(self.answer.get("resourceModel", {}))
        words = [self.action, "answered", self.status, self.error_code or "", self.answer.get("message", "")]
        return " ".join([*filter(None, words), json.dumps(shown) if shown else ""]).strip()
