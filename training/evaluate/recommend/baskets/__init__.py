"""What a household buys next: a grocery shop's baskets, by repetition, neighbours and boosted trees."""
