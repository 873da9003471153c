"""All of Aisle on one machine: the three services and the gateway as four processes."""
