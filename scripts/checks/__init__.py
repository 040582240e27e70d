"""Rules about the repository itself, kept by tests: `make test-checks`."""
