"""Authenticode for scripts: sign, verify, timestamp, on cryptography alone.

Bytes in, bytes out; `commands` is the only module that knows files and the command line. Import
what is used from its module: the package itself imports nothing, so that `--help` stays quick.
"""
