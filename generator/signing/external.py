"""A key behind a command: it gets the hash on standard input and answers with the signature."""

from __future__ import annotations

import os
import shlex
import subprocess

from cryptography.x509 import Certificate

from generator.signing import cms, keys
from generator.signing.algorithms import Hash
from generator.signing.errors import KeyFileError, SigningError

SECONDS = 60.0
"""How long the command may take for one file; somebody may have to touch a token."""

_LONGEST = 1 << 16


class ExternalKey:
    """A command such as `openssl pkeyutl -sign ...` or the client of a signing service.

    It is started without a shell, once a file. `{hash}` in an argument becomes the name of the
    hash (sha256). Standard input: the hash, as bytes. Standard output: the signature as bytes,
    PKCS #1 v1.5 over the DigestInfo for RSA, DER for ECDSA. Its messages go to the terminal. What
    it answers is checked against the certificate before anything is written.
    """

    parallel = False

    def __init__(self, command: str, certificate: Certificate, seconds: float = SECONDS) -> None:
        try:
            self._command = shlex.split(command, posix=os.name == "posix")
        except ValueError as error:
            raise KeyFileError(f"the key command cannot be taken apart: {error}") from error
        if not self._command:
            raise KeyFileError("the key command is empty")
        self.kind = keys.family(cms.public_key(certificate))
        self._seconds = seconds

    def sign(self, data: bytes, used: Hash) -> bytes:
        """Runs the command for one signature; raises SigningError."""
        arguments = [part.replace("{hash}", used.name) for part in self._command]
        program = arguments[0]
        try:
            done = subprocess.run(  # noqa: S603 - the user's own command
                arguments,
                input=used.digest(data),
                stdout=subprocess.PIPE,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SigningError(
                f"{program}: no signature within {self._seconds:g} seconds; nothing was written"
            ) from error
        except OSError as error:
            raise SigningError(
                f"{program}: cannot be started ({error.strerror or error})"
            ) from error
        if done.returncode:
            raise SigningError(f"{program}: ended with code {done.returncode}; nothing was written")
        if not 0 < len(done.stdout) <= _LONGEST:
            raise SigningError(f"{program}: gave {len(done.stdout)} bytes, which is no signature")
        return done.stdout

    def close(self) -> None:
        """Nothing to let go of: the command has ended."""
