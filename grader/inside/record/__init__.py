"""The record: its events, the log they are appended to, and the recorder that hooks share."""
