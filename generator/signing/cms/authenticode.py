"""What makes a CMS signature an Authenticode signature over a script."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.x509 import ObjectIdentifier

from generator.signing import addresses
from generator.signing.cms import signed_data, structures
from generator.signing.cms.algorithms import Hash, hash_of
from generator.signing.cms.structures import (
    Attribute,
    DigestInfo,
    IndirectData,
    OpusInfo,
    SignedData,
    SipData,
    SipInfo,
    SpcLink,
    SpcString,
    StatementType,
)
from generator.signing.errors import MalformedError

INDIRECT_DATA = ObjectIdentifier("1.3.6.1.4.1.311.2.1.4")
STATEMENT_TYPE = ObjectIdentifier("1.3.6.1.4.1.311.2.1.11")
OPUS_INFO = ObjectIdentifier("1.3.6.1.4.1.311.2.1.12")
TIMESTAMP_TOKEN = ObjectIdentifier("1.3.6.1.4.1.311.3.3.1")
NESTED_SIGNATURE = ObjectIdentifier("1.3.6.1.4.1.311.2.4.1")
COUNTER_SIGNATURE = ObjectIdentifier("1.2.840.113549.1.9.6")
_SIP_INFO = ObjectIdentifier("1.3.6.1.4.1.311.2.1.30")
_INDIVIDUAL = ObjectIdentifier("1.3.6.1.4.1.311.2.1.21")
_SIP_VERSION = 0x10000
# {603bcc1f-4b59-4e08-b724-d2c6297ef351}, the package of Windows that reads scripts.
_SIP_GUID = bytes.fromhex("1FCC3B60594B084EB724D2C6297EF351")

_SIP = SipData(
    type=_SIP_INFO,
    value=SipInfo(
        version=_SIP_VERSION,
        guid=_SIP_GUID,
        reserved_1=0,
        reserved_2=0,
        reserved_3=0,
        reserved_4=0,
        reserved_5=0,
    ),
)
_SIP_BYTES = structures.encode(_SIP)


@dataclass(frozen=True, slots=True)
class FileHash:
    """The content of a signature: a script's hash, its algorithm, the octets that CMS hashes."""

    hash: Hash
    digest: bytes
    octets: bytes


def indirect_data(digest: bytes, used: Hash) -> tuple[bytes, bytes]:
    """The content for a script whose UTF-16LE text has this hash: DER, and its octets without the
    header."""
    content = structures.encode(
        IndirectData(data=_SIP, message_digest=DigestInfo(algorithm=used.identifier, digest=digest))
    )
    return content, bytes(structures.any_value(content).data)


def fixed_attributes(program: str = "", address: str = "") -> tuple[Attribute, ...]:
    """The signed attributes that Windows writes beside type and hash, in any order.

    Name and address of a program are empty for most scripts; the attribute is there all the same.
    Raises UsageError for texts that cannot be either.
    """
    name = link = None
    if program:
        unicode = addresses.program_name(program).encode("utf-16-be")
        name = SpcString(unicode=unicode, ascii=None)
    if address:
        addresses.http_address(address, "a program")
        link = SpcLink(url=address.encode("ascii"))
    return (
        signed_data.attribute(
            STATEMENT_TYPE, structures.encode(StatementType(purpose=_INDIVIDUAL))
        ),
        signed_data.attribute(
            OPUS_INFO, structures.encode(OpusInfo(program_name=name, more_info=link))
        ),
    )


def read_file_hash(data: SignedData) -> FileHash:
    """The hash that was signed; raises MalformedError when it is not that of a script."""
    if data.version != 1 or data.content.type != INDIRECT_DATA:
        raise MalformedError("this is a signature, but none over a script")
    element, octets = signed_data.content_octets(data)
    content = structures.parse(element, IndirectData)
    if structures.encode(content.data) != _SIP_BYTES:
        raise MalformedError("the signature is of a kind that Windows uses for other files")
    used = hash_of(content.message_digest.algorithm)
    return FileHash(used, content.message_digest.digest, octets)
