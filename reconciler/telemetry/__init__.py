"""What a running process tells its operator: logs, metrics, status and the port they are read from. Decides nothing."""
