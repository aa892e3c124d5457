"""The parts behind the engine on object stores."""
