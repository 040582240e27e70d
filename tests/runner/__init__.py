"""What plays the cross-language scenarios: drivers, relays, casts, and the steps themselves."""
