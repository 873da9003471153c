"""From scores to an order: diversity, caps, places for new goods, and what merchandising rules fix."""
