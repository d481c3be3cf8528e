"""What the worker does by the clock: `worker` starts it all, each other module is one room's jobs."""
