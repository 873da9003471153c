"""What a shopper means by a query: intent, category, attributes, price bounds, negation, language."""
