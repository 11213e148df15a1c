"""The local environment: in this process, or in worker processes of this machine."""
