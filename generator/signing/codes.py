"""What a verification can answer: one code, its sentence, the exit code it leads to."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """The result of verifying one file. Only `ok` is a good one."""

    OK = "ok"
    NOT_SIGNED = "not-signed"
    MALFORMED_BLOCK = "malformed-block"
    ENCODING = "encoding"
    HASH_MISMATCH = "hash-mismatch"
    BAD_SIGNATURE = "bad-signature"
    WEAK_HASH = "weak-hash"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    REVOKED = "revoked"
    WRONG_EKU = "wrong-eku"
    TIMESTAMP = "timestamp"

    @property
    def sentence(self) -> str:
        """What it means, for the person who asked."""
        return _SENTENCES[self]

    @property
    def exit_code(self) -> int:
        """0 good, 3 the file is not the one that was signed, 4 the signer is not one to accept."""
        if self is Code.OK:
            return 0
        return 4 if self in _POLICY else 3


_POLICY = frozenset(
    {Code.UNTRUSTED, Code.EXPIRED, Code.NOT_YET_VALID, Code.REVOKED, Code.WRONG_EKU}
)

_SENTENCES = {
    Code.OK: "The file is as it was signed, by a signer that is trusted here.",
    Code.NOT_SIGNED: "There is no signature in this file.",
    Code.MALFORMED_BLOCK: "The signature block is damaged, or there is text around it that nobody "
    "signed. Do not run this file.",
    Code.ENCODING: "The text of this file is read differently on different machines, so no "
    "signature over it says anything.",
    Code.HASH_MISMATCH: "The text was changed after it was signed. Do not run this file.",
    Code.BAD_SIGNATURE: "The signature was not made with the key of its certificate. Do not run "
    "this file.",
    Code.WEAK_HASH: "Signed with a hash that can be forged.",
    Code.UNTRUSTED: "The text is as it was signed, but not by somebody who is trusted here.",
    Code.EXPIRED: "The signer's certificate had run out at the time of judgement.",
    Code.NOT_YET_VALID: "The signer's certificate was not valid yet at the time of judgement.",
    Code.REVOKED: "The signer's certificate was revoked.",
    Code.WRONG_EKU: "The signer's certificate is not meant for signing code.",
    Code.TIMESTAMP: "The timestamp in the signature is not valid.",
}
