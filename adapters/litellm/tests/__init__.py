"""Tests of the adapter; those that need LiteLLM are skipped without it."""
