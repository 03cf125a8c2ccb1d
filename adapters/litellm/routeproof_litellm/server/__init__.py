"""Complete servers of LiteLLM as a fleet under test: PostgreSQL, a query engine, web servers and their upstream."""
