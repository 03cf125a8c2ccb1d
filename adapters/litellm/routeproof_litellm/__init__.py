"""LiteLLM's router behind Routeproof's protocol.

`wire` is the conversation, `dialect` what this LiteLLM is asked for and how it differs from others, `router` the real
`litellm.Router`, and `__main__` the process that joins them.
"""
