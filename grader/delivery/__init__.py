"""Mail students their feedback: the roster, the contents, the messages and the sending."""
