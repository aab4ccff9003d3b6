"""Ali-CCP: ingestion of its raw files by the preparations of several papers, and a simulator of raw files."""
