"""The soak: real processes on a real engine, killed at random under mail and phones; nothing lost, nothing twice."""
