"""Webhooks come in: payloads, who may send them, and the journal that keeps them before they are answered."""
