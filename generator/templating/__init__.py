"""What templates may do: where they lie, the sandbox and its filters, documents, expressions."""
