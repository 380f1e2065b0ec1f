"""Authenticode for scripts: sign, verify, add time stamps, on `cryptography` alone.

`signer` and `verify` take bytes and return bytes; `batch` and `folder` apply them to files. Keys on
tokens need the extra `pkcs11`. Import what is used from its module: the package itself imports
nothing, so that `--help` stays quick.
"""
