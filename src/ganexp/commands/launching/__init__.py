"""Let several processes, on one machine or several, train one network together."""
