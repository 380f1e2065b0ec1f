"""Whether a signature is believed: certificate chain, revocation lists, time stamps."""
