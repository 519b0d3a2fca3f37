"""Events and artefacts become typed evidence; pure functions over what was already read."""
