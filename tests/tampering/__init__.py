"""Whoever has the bucket alters it: what he gets is a refusal that names the object, never another truth."""
