"""Audio files: reading, writing, formats, where a loop lies in one."""
