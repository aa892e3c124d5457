"""Against programs and libraries that others wrote: `make interop`."""
