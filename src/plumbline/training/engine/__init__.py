"""The Trainer factory, callbacks, resuming, loaders and tracing."""
