"""The public API: validates, fans out to the services, merges, and degrades when one is late or gone."""
