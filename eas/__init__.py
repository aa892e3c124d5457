"""Exchange ActiveSync: HTTP, versions, devices, push; exceptions become answers."""
