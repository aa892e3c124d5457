"""Behind the local engine: one database, pack files, one committer."""
