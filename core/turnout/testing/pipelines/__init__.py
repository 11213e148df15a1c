"""The pipelines of the suite, in modules that workers can import."""
