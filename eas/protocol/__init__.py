"""The pure parts of [MS-ASHTTP] and [MS-ASDTYPE]: queries, headers, versions, data types."""
