"""Ringless voicemails and texts from warehouse tables through the Drop Cowboy API."""
