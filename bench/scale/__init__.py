"""How the cost of a search grows with the catalogue, the candidates, the load, the replicas and writes."""
