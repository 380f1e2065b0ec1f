"""A key behind a command: it gets the hash on standard input and answers with the signature."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from typing import IO

from cryptography.x509 import Certificate

from generator.signing.cms import signed_data
from generator.signing.cms.algorithms import Hash
from generator.signing.errors import KeyFileError, SigningError
from generator.signing.keys import key_files

SECONDS = 60.0
"""How long the command may take for one file; somebody may have to touch a token."""

_LONGEST = 1 << 16


class ExternalKey:
    """A command such as `openssl pkeyutl -sign ...` or the client of a signing service.

    It is started without a shell, once a file. `{hash}` in an argument becomes the name of the
    hash (sha256). Standard input: the hash, as bytes. Standard output: the signature as bytes,
    PKCS #1 v1.5 over the DigestInfo for RSA, DER for ECDSA. Its messages go to the terminal. What
    it answers is checked against the certificate before anything is written.

    It has the environment of this process, which the libraries of tokens need, without the
    variables that are `hidden` (a passphrase). After `seconds`, or with an answer that is too
    long, it is ended.
    """

    parallel = False

    def __init__(
        self,
        command: str,
        certificate: Certificate,
        seconds: float = SECONDS,
        hidden: Collection[str] = (),
    ) -> None:
        try:
            self._command = shlex.split(command, posix=os.name == "posix")
        except ValueError as error:
            raise KeyFileError(f"the key command cannot be taken apart: {error}") from error
        if not self._command:
            raise KeyFileError("the key command is empty")
        self.kind = key_files.family(signed_data.public_key(certificate))
        self._seconds = seconds
        secret = {os.path.normcase(name) for name in hidden}
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if os.path.normcase(name) not in secret
        }

    def sign(self, data: bytes, used: Hash) -> bytes:
        """Runs the command for one signature; raises SigningError."""
        arguments = [part.replace("{hash}", used.name) for part in self._command]
        program = arguments[0]
        try:
            child = subprocess.Popen(  # noqa: S603 - the user's own command
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment,
            )
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise SigningError(f"{program}: cannot be started ({reason})") from error
        try:
            answer = self._answer(child, used.digest(data))
        except subprocess.TimeoutExpired as error:
            raise SigningError(
                f"{program}: no signature within {self._seconds:g} seconds; nothing was written"
            ) from error
        finally:
            child.kill()
            child.wait()
        if len(answer) > _LONGEST:
            raise SigningError(f"{program}: gave more than {_LONGEST} bytes, which is no signature")
        if child.returncode:
            raise SigningError(
                f"{program}: ended with code {child.returncode}; nothing was written"
            )
        if not answer:
            raise SigningError(f"{program}: gave 0 bytes, which is no signature")
        return answer

    def _answer(self, child: subprocess.Popen[bytes], digest: bytes) -> bytes:
        """What the command says, and its end; raises TimeoutExpired."""
        end = time.monotonic() + self._seconds
        assert child.stdin is not None  # noqa: S101 - it is a pipe
        assert child.stdout is not None  # noqa: S101
        listener = _Listener(child.stdout)
        # A command may have read enough, or nothing, when it closes its end.
        with suppress(OSError), child.stdin as pipe:
            pipe.write(digest)
        listener.join(self._seconds)
        if listener.is_alive():
            raise subprocess.TimeoutExpired(child.args, self._seconds)
        if len(listener.heard) <= _LONGEST:
            child.wait(max(end - time.monotonic(), 0))
        return listener.heard

    def close(self) -> None:
        """Nothing to let go of: the command has ended."""


class _Listener(threading.Thread):
    """Reads what a command says, up to a limit, so that nobody waits longer than wanted."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.heard = b""
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        with self._pipe:
            self.heard = self._pipe.read(_LONGEST + 1)
