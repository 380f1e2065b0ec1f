"""The bytes of a signature: ASN.1 structures, CMS SignedData, and what Authenticode puts in it."""
