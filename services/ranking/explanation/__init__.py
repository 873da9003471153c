"""Why a hit stands where it does: contributions that add up to its score, and the same in words."""
