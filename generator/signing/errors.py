"""The errors of signing and verifying, each with its exit code of the command line."""

from __future__ import annotations

from generator.errors import GeneratorError, IntegrityError
from generator.signing.codes import Code

__all__ = [
    "IntegrityError", "KeyFileError", "MalformedError", "PolicyError", "RefusedError",
    "SignatureError", "SigningError", "TimestampError",
]  # fmt: skip


class SigningError(GeneratorError):
    """Nothing was signed. The message says why and what to do; it never holds a secret."""

    exit_code = 2


class DeclinedError(SigningError):
    """Somebody was asked and did not say yes."""

    exit_code = 1


class RefusedError(SigningError):
    """A file that must not be signed, or judged, as it is; `code` says it for programs."""

    exit_code = 1

    def __init__(self, code: Code, *lines: str) -> None:
        super().__init__(*lines)
        self.code = code


class KeyFileError(SigningError):
    """Key, certificate, passphrase or token cannot be used."""


class PolicyError(SigningError):
    """The certificate is not one to sign with: expired, wrong purpose, weak."""

    exit_code = 4


class TimestampError(SigningError):
    """A timestamp was asked for and not had."""

    exit_code = 3


class MalformedError(IntegrityError):
    """Bytes that are no valid structure of their kind."""


class SignatureError(IntegrityError):
    """A signature that was not made with the key it names, or over other bytes."""
