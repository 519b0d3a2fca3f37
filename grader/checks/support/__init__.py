"""What several checks share; no check is here."""
