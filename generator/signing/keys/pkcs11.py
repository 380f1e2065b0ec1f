"""Keys on tokens and in HSMs, through PKCS #11. Needs the extra `pkcs11`."""

from __future__ import annotations

import threading
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from generator.signing.cms import signed_data, structures
from generator.signing.cms.algorithms import Hash
from generator.signing.cms.structures import DigestInfo
from generator.signing.errors import KeyFileError, MalformedError, SigningError
from generator.signing.keys import key_files
from generator.signing.signer import Identity
from generator.signing.trust.chain import Certificates


class TokenKey:
    """A private key in an open session, which takes one signature at a time."""

    parallel = False

    def __init__(self, session: Any, private: Any, kind: str, mechanism: Any) -> None:
        self.kind = kind
        self._session = session
        self._private = private
        self._mechanism = mechanism
        self._one_at_a_time = threading.Lock()

    def sign(self, data: bytes, used: Hash) -> bytes:
        """A signature over the hash of `data`; the token sees the hash only."""
        digest = used.digest(data)
        if self.kind == "rsa":
            # CKM_RSA_PKCS over a DigestInfo: every token has it.
            digest = structures.encode(DigestInfo(algorithm=used.identifier, digest=digest))
        try:
            with self._one_at_a_time:
                signature: bytes = self._private.sign(digest, mechanism=self._mechanism)
        except _pkcs11().exceptions.PKCS11Error as error:
            raise SigningError(f"the token does not sign: {_problem(error)}") from error
        if self.kind == "rsa":
            return signature
        half = len(signature) // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        return encode_dss_signature(r, s)

    def close(self) -> None:
        """Ends the session, and with it the login."""
        self._session.close()


def open_token(
    module: str,
    pin: bytes,
    certificates: Certificates = (),
    *,
    token: str | None = None,
    label: str | None = None,
    key_id: str | None = None,
) -> Identity:
    """One session for a whole batch; raises KeyFileError.

    `module` is the library of the token's maker, `token` the token's label (needed when there are
    several), `label` or `key_id` (hexadecimal) name the key. The certificate is the one given, or
    else the token's. A PIN is used once: a token locks itself after a few wrong ones.
    """
    pkcs11 = _pkcs11()
    errors = pkcs11.exceptions
    try:
        text = pin.decode("utf-8")
    except UnicodeDecodeError:
        raise KeyFileError("the PIN is not UTF-8 text") from None
    try:
        ready = [
            each
            for each in pkcs11.lib(module).get_tokens(token_label=token)
            if pkcs11.TokenFlag.TOKEN_INITIALIZED in each.flags
        ]
        if len(ready) != 1:
            problem = "several tokens; name one with --token" if ready else "there is no token"
            raise KeyFileError(f"{module}: {problem} {token or ''}".rstrip())
        session = ready[0].open(user_pin=text)
    except (errors.PinIncorrect, errors.PinLocked, errors.PinLenRange) as error:
        raise KeyFileError(
            f"{module}: the PIN was not accepted ({_problem(error)}). It was tried once and is "
            "not tried again: tokens lock themselves"
        ) from error
    except (errors.PKCS11Error, RuntimeError) as error:
        raise KeyFileError(f"{module}: {_problem(error)}") from error
    try:
        return _identity(session, certificates, label, key_id)
    except BaseException:
        session.close()
        raise


def _identity(
    session: Any, certificates: Certificates, label: str | None, key_id: str | None
) -> Identity:
    pkcs11 = _pkcs11()
    try:
        wanted = bytes.fromhex(key_id) if key_id is not None else None
    except ValueError as error:
        raise KeyFileError(f"{key_id!r} is no hexadecimal key id") from error
    query = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
    query |= {pkcs11.Attribute.LABEL: label} if label is not None else {}
    query |= {pkcs11.Attribute.ID: wanted} if wanted is not None else {}
    found = list(session.get_objects(query))
    if len(found) != 1:
        problem = "several such keys; name one with --key-id" if found else "no such key"
        raise KeyFileError(f"the token has {problem}: {label or key_id or 'any'}")
    private = found[0]
    if private.key_type == pkcs11.KeyType.RSA:
        key = TokenKey(session, private, "rsa", pkcs11.Mechanism.RSA_PKCS)
    elif private.key_type == pkcs11.KeyType.EC:
        key = TokenKey(session, private, "ec", pkcs11.Mechanism.ECDSA)
    else:
        raise KeyFileError("the token's key is neither RSA nor EC")
    certificate, *others = certificates or _from_token(session, private.id)
    public = signed_data.public_key(certificate)
    if key_files.family(public) != key.kind or (
        key.kind == "rsa" and private[pkcs11.Attribute.MODULUS] != _modulus(public)
    ):
        raise KeyFileError("key and certificate do not belong together")
    return Identity(key, certificate, tuple(others))


def _from_token(session: Any, key_id: bytes) -> Certificates:
    pkcs11 = _pkcs11()
    query = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
        pkcs11.Attribute.ID: key_id,
    }
    for found in list(session.get_objects(query)):
        try:
            return (signed_data.load_certificate(found[pkcs11.Attribute.VALUE]),)
        except MalformedError as error:
            raise KeyFileError(f"the token's certificate: {error}") from error
    raise KeyFileError("the token has no certificate with this key; give it with --cert")


def _modulus(public: object) -> bytes:
    number = public.public_numbers().n if isinstance(public, rsa.RSAPublicKey) else 0
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _problem(error: Exception) -> str:
    return str(error) or type(error).__name__


def _pkcs11() -> Any:
    try:
        import pkcs11  # noqa: PLC0415 - an extra
        import pkcs11.exceptions  # noqa: PLC0415
    except ImportError as error:
        raise KeyFileError(
            "keys on tokens need the extra `pkcs11`: pip install 'runbook-generator[pkcs11]'"
        ) from error
    return pkcs11
