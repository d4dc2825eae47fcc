"""Loggers of ganexp's own. `logger=` chooses among them and Lightning's; metrics.jsonl is always written."""
