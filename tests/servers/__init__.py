"""The real servers that tests and benchmarks work with, each started on private loopback ports and ended again."""
