"""Real web applications from package registries, none of them written here, logged in to by address and credentials."""
