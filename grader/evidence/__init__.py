"""Convert events and artefacts to typed evidence; pure functions of data that was already read."""
