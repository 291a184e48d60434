"""The OAuth 2 server and its pages: login, approval, tokens for people and for programs."""
