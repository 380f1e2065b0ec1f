"""Where a key comes from: a file, a token, a command; and its passphrase."""
