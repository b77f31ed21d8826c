"""What Parakeet runs on when nothing else is given: PostgreSQL and Valkey from wheels, a local browser driver."""

from services.embedded.parts import Parts, embedded_parts

__all__ = ["Parts", "embedded_parts"]
